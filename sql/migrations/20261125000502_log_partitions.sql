-- migrate:up

-- Make one partition, if it is lacking. It is made apart and then attached, which waits for no reader; made in place, it would shut
-- readers out. The caller holds an advisory lock: two at once would both find it lacking.
create function make_log_partition(parent text, partition_name text, from_day date, to_day date) returns boolean
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
begin
    if to_regclass('public.' || quote_ident(partition_name)) is not null then
        return false;
    end if;
    execute format(
        'create table public.%I (like public.%I including defaults including constraints including storage)',
        partition_name, parent
    );
    execute format(
        'alter table public.%I attach partition public.%I for values from (%L) to (%L)',
        parent, partition_name, from_day, to_day
    );
    return true;
end
$$;

-- The partition of a block: by the day, by the week from its Monday, or by the month.
create function log_block_partition(
    retention log_retention, day date, out parent text, out partition_name text, out from_day date, out to_day date
)
language sql immutable
set search_path = pg_catalog, public, pg_temp
as $$
    select
        'log_block_' || retention,
        'log_block_' || retention || '_' || to_char(b.from_day, 'YYYYMMDD'),
        b.from_day,
        (
            b.from_day + case retention
                when 'short' then interval '1 day'
                when 'standard' then interval '1 week'
                else interval '1 month'
            end
        )::date
    from (
        select date_trunc(
            case retention when 'short' then 'day' when 'standard' then 'week' else 'month' end, day::timestamp
        )::date as from_day
    ) as b
$$;

-- Make the partition in which a block of that day belongs, if it is lacking: what is packed late may be older than all that there are.
create function make_log_block_partition(retention log_retention, day date) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '2s'
as $$
declare
    wanted record;
begin
    select * into wanted from log_block_partition(retention, day);
    if to_regclass('public.' || quote_ident(wanted.partition_name)) is not null then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtext('howdah.make_log_partitions'));
    return make_log_partition(wanted.parent, wanted.partition_name, wanted.from_day, wanted.to_day);
end
$$;

drop function make_log_partitions(integer);

-- Make the partitions of chunks and blocks from yesterday to `days_ahead` days ahead, where they are lacking. Returns how many it made.
create function make_log_partitions(days_ahead integer, at_time timestamptz default now()) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '2s'
as $$
declare
    today date := (at_time at time zone 'utc')::date;
    made integer := 0;
    wanted record;
begin
    perform pg_advisory_xact_lock(hashtext('howdah.make_log_partitions'));
    for wanted in
        select 'log_chunk' as parent, 'log_chunk_' || to_char(d, 'YYYYMMDD') as partition_name, d::date as from_day,
            d::date + 1 as to_day
        from generate_series(today - 1, today + days_ahead, interval '1 day') as d
        union
        select p.parent, p.partition_name, p.from_day, p.to_day
        from generate_series(today - 1, today + days_ahead, interval '1 day') as d
        cross join unnest(enum_range(null::log_retention)) as r
        cross join lateral log_block_partition(r, d::date) as p
        order by 1, 3
    loop
        made := made + make_log_partition(wanted.parent, wanted.partition_name, wanted.from_day, wanted.to_day)::integer;
    end loop;
    return made;
end
$$;

-- Whether chunks of a day are still needed, or may still come: attempts of that day go on, wait to be packed, or were packed a moment ago.
create function needs_log_chunks(of_day date) returns boolean
language sql stable
set search_path = pg_catalog, public, pg_temp
as $$
    select exists (
        select 1 from attempt a where a.log_state = 'open' and a.log_day = of_day
    )
    or exists (
        select 1 from attempt a where a.log_state = 'packed' and a.log_day = of_day
    )
    or exists (
        select 1 from job j where j.state = 'running' and (j.claimed_at at time zone 'utc')::date <= of_day
    )
$$;

-- Drop the oldest partition that nobody needs: of chunks, once all of a past day is in blocks; of blocks, once it has been kept for so
-- many days (0: for ever). `dropped` is its name, null if none was dropped; `is_busy`: somebody uses one that could have been dropped.
-- It waits for locks for a moment only, since everybody else waits behind it.
create function drop_log_partition(
    keep_short_days double precision,
    keep_standard_days double precision,
    keep_long_days double precision,
    at_time timestamptz,
    out dropped text,
    out is_busy boolean
)
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
set datestyle = 'ISO'
set lock_timeout = '200ms'
as $$
declare
    today date := (at_time at time zone 'utc')::date;
    found record;
    busy regclass[] := '{}';
begin
    for found in
        select p.parent, p.child, p.from_day
        from (
            select
                i.inhparent::regclass as parent,
                i.inhrelid::regclass as child,
                substring(pg_get_expr(c.relpartbound, c.oid) from 'FROM \(''([0-9-]+)''\)')::date as from_day,
                substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([0-9-]+)''\)')::date as to_day,
                case i.inhparent
                    when 'public.log_block_short'::regclass then keep_short_days
                    when 'public.log_block_standard'::regclass then keep_standard_days
                    when 'public.log_block_long'::regclass then keep_long_days
                end as keep_days
            from pg_inherits i
            join pg_class c on c.oid = i.inhrelid
            where i.inhparent in (
                'public.log_chunk'::regclass, 'public.log_block_short'::regclass,
                'public.log_block_standard'::regclass, 'public.log_block_long'::regclass
            )
        ) as p
        where case
            -- An attempt that begins now may still be of yesterday.
            when p.keep_days is null then p.to_day < today
            else p.keep_days > 0
                and p.to_day::timestamp at time zone 'utc' + p.keep_days * interval '1 day' <= at_time
        end
        order by p.to_day, p.child::text
    loop
        -- Who reads a table reads its partitions.
        continue when found.parent = any(busy);
        begin
            if found.parent = 'public.log_chunk'::regclass then
                continue when needs_log_chunks(found.from_day);
                -- The parent first: readers lock in that order.
                execute format('lock table only %s in access exclusive mode', found.parent);
                execute format('lock table %s in access exclusive mode', found.child);
                continue when needs_log_chunks(found.from_day);
                execute format(
                    'update log_gone g set tx_id = n.tx_id, row_id = n.row_id'
                    ' from (select c.tx_id, c.row_id from %s c order by c.tx_id desc, c.row_id desc limit 1) as n'
                    ' where (g.tx_id, g.row_id) < (n.tx_id, n.row_id)',
                    found.child
                );
            end if;
            execute format('drop table %s', found.child);
            dropped := found.child::text;
            exit;
        exception when lock_not_available then
            busy := busy || found.parent;
        end;
    end loop;
    is_busy := cardinality(busy) > 0;
end
$$;

grant execute on function make_log_partitions(integer, timestamptz) to howdah_scheduler, howdah_executor;
grant execute on function
    make_log_block_partition(log_retention, date),
    drop_log_partition(double precision, double precision, double precision, timestamptz)
to howdah_scheduler;

select make_log_partitions(7);

-- migrate:down

drop function drop_log_partition(double precision, double precision, double precision, timestamptz);
drop function needs_log_chunks(date);
drop function make_log_partitions(integer, timestamptz);
drop function make_log_block_partition(log_retention, date);
drop function log_block_partition(log_retention, date);
drop function make_log_partition(text, text, date, date);

create function make_log_partitions(days_ahead integer) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, public
set lock_timeout = '2s'
as $$
declare
    today date := (now() at time zone 'utc')::date;
    made integer := 0;
    day date;
    partition_name text;
begin
    -- Two callers at once would both find the partition lacking.
    perform pg_advisory_xact_lock(hashtext('howdah.make_log_partitions'));
    for day in select d::date from generate_series(today - 1, today + days_ahead, interval '1 day') as d loop
        partition_name := 'log_chunk_' || to_char(day, 'YYYYMMDD');
        if to_regclass('public.' || partition_name) is null then
            execute format(
                'create table public.%I partition of public.log_chunk for values from (%L) to (%L)',
                partition_name, day, day + 1
            );
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;

grant execute on function make_log_partitions(integer) to howdah_scheduler, howdah_executor;
