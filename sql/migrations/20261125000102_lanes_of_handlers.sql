-- migrate:up

-- A lane is also of one kind of job and, for handlers, of one type: so an executor reads only lanes whose jobs it can
-- run, pausing and counting are per lane, and a job need not carry its type.
alter table lane
    add column kind job_kind not null default 'shell',
    add column job_type text not null default '',
    add constraint lane_handler_has_type check ((kind = 'handler') = (job_type <> '')),
    drop constraint lane_queue_labels_key,
    add constraint lane_key unique (kind, queue, job_type, labels);
update lane set kind = 'plan' where queue = 'plan';
alter table lane alter column kind drop default;

drop function lane_of(text, text[]);

create function lane_of(wanted_kind job_kind, wanted_queue text, wanted_type text, wanted_labels text[]) returns integer
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
declare
    sorted text[] := array(select distinct l from unnest(wanted_labels) as l order by l);
    found_id integer;
begin
    loop
        select l.id into found_id
        from lane l
        where l.kind = wanted_kind
            and l.queue = wanted_queue
            and l.job_type = wanted_type
            and l.labels = sorted;
        exit when found_id is not null;
        insert into lane (kind, queue, job_type, labels) values (wanted_kind, wanted_queue, wanted_type, sorted)
        on conflict (kind, queue, job_type, labels) do nothing;
    end loop;
    return found_id;
end
$$;

-- A queue that somebody has paused: nothing of it is claimed. A queue that is not here has never been paused.
create table queue (
    name text not null primary key,
    paused_at timestamptz,
    paused_by text,
    why text,
    constraint queue_paused_by_somebody check ((paused_at is null) = (paused_by is null))
);

-- migrate:down

drop table queue;
drop function lane_of(job_kind, text, text, text[]);
delete from lane where kind = 'handler';
alter table lane
    drop constraint lane_key,
    drop constraint lane_handler_has_type,
    drop column kind,
    drop column job_type,
    add constraint lane_queue_labels_key unique (queue, labels);
create function lane_of(wanted_queue text, wanted_labels text[]) returns integer
language plpgsql volatile
set search_path = pg_catalog, public
as $$
declare
    sorted text[] := array(select distinct l from unnest(wanted_labels) as l order by l);
    found_id integer;
begin
    select l.id into found_id from lane l where l.queue = wanted_queue and l.labels = sorted;
    if found_id is null then
        insert into lane (queue, labels) values (wanted_queue, sorted)
        on conflict (queue, labels) do nothing;
        select l.id into found_id from lane l where l.queue = wanted_queue and l.labels = sorted;
    end if;
    return found_id;
end
$$;
grant execute on function lane_of(text, text[]) to howdah_ingest, howdah_scheduler;
