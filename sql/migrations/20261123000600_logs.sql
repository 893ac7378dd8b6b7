-- migrate:up

create sequence log_chunk_row_id as bigint;

-- A piece of an attempt's output: bytes as they came, of one step and one stream.
create table log_chunk (
    -- The day on which the attempt started, also for chunks that come after midnight.
    day date not null,
    job_id uuid not null,
    epoch integer not null,
    seq bigint not null,
    -- Position of the step; -1 before the first.
    step smallint not null,
    -- 0: Howdah itself, 1: stdout, 2: stderr.
    stream smallint not null check (stream between 0 and 2),
    -- Number, from 0, in the attempt's log, of the first line that begins in this chunk.
    first_line bigint not null,
    -- Whether the first line goes on from an earlier chunk of the same stream.
    continues boolean not null,
    -- Milliseconds after recorded_at at which each line that begins here began.
    line_offsets_ms integer[] not null,
    recorded_at timestamptz not null,
    data bytea not null,
    -- Cursor of the stream over all jobs: valid below pg_snapshot_xmin, since row ids commit out of order.
    tx_id bigint not null default (pg_current_xact_id()::text::bigint),
    row_id bigint not null default nextval('log_chunk_row_id'),
    primary key (job_id, epoch, seq, day)
) partition by range (day);

create index log_chunk_cursor on log_chunk (tx_id, row_id);

-- Make the partitions of yesterday to `days_ahead` days ahead, where they are lacking. Returns how many it made.
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

select make_log_partitions(7);

-- migrate:down

drop function make_log_partitions(integer);
drop table log_chunk;
drop sequence log_chunk_row_id;
