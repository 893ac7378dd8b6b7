-- migrate:up

-- Nothing in this schema is for everybody: functions are granted one by one.
alter default privileges revoke execute on functions from public;

-- Wake whoever listens on a channel. The payload is always empty: the rows say what there is to do.
-- `alter database … set howdah.notify = 'off'` silences it; everything then goes on by polling.
-- Written as `(select ring('…'))` in a query, it is evaluated at most once, and only if a row comes out.
create function ring(channel text) returns boolean
language plpgsql volatile
set search_path = pg_catalog
as $$
begin
    if current_setting('howdah.notify', true) = 'off' then
        return false;
    end if;
    perform pg_notify(channel, '');
    return true;
end
$$;

grant execute on function ring(text) to howdah_ingest, howdah_scheduler, howdah_executor, howdah_notifier;

-- A UUIDv7 (RFC 9562): 48 bits of milliseconds, the rest random. For rows whose number only a query knows;
-- PostgreSQL before 18 has none of its own.
create function new_id() returns uuid
language sql volatile
set search_path = pg_catalog
as $$
    select encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid())
                    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                    from 1 for 6
                ),
                52, 1
            ),
            53, 1
        ),
        'hex'
    )::uuid
$$;

-- The newest migration that has been applied; services compare it with what they need.
create function applied_schema_version() returns text
language plpgsql stable security definer
set search_path = pg_catalog, public
as $$
begin
    return (select max(m.version) from schema_migrations m);
end
$$;

grant execute on function applied_schema_version()
to howdah_ingest, howdah_scheduler, howdah_executor, howdah_notifier;

-- The oldest code that may run against this schema. A migration that old code cannot live with raises it.
create table schema_contract (
    singleton boolean not null primary key default true check (singleton),
    min_code_version text not null
);

insert into schema_contract (min_code_version) values ('0.1.0');

grant select on schema_contract to howdah_ingest, howdah_scheduler, howdah_executor, howdah_notifier;

-- migrate:down

drop table schema_contract;
drop function applied_schema_version();
drop function new_id();
drop function ring(text);
alter default privileges grant execute on functions to public;
