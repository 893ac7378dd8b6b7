-- migrate:up

-- Make the partition in which a block of that day belongs, if it is lacking: what is packed late may be older than all that there are.
-- One that is there is held until the caller's transaction ends: it may be old enough to be dropped before the block is in it.
create or replace function make_log_block_partition(retention log_retention, day date) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '2s'
as $$
declare
    wanted record;
begin
    select * into wanted from log_block_partition(retention, day);
    if to_regclass('public.' || quote_ident(wanted.partition_name)) is not null then
        begin
            -- The parent first: whoever drops a partition locks in that order.
            execute format('lock table only public.%I in row exclusive mode', wanted.parent);
            execute format('lock table only public.%I in row exclusive mode', wanted.partition_name);
            return false;
        exception when undefined_table then
            null; -- It was dropped meanwhile.
        end;
    end if;
    perform pg_advisory_xact_lock(hashtext('howdah.make_log_partitions'));
    return make_log_partition(wanted.parent, wanted.partition_name, wanted.from_day, wanted.to_day);
end
$$;

-- migrate:down

create or replace function make_log_block_partition(retention log_retention, day date) returns boolean
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
