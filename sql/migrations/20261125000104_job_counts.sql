-- migrate:up

-- How many jobs of each lane are in each state: totals, and what has changed since they were folded. Every statement
-- that moves jobs appends its difference, so that no two of them wait for each other's counter. A statement that inserts
-- jobs does so itself, since a trigger would take a tenth of adding one job; for all others these triggers do.
create table job_count (
    lane_id integer not null references lane (id) on delete cascade,
    state job_state not null,
    jobs bigint not null,
    primary key (lane_id, state)
) with (fillfactor = 50);

create table job_count_change (
    lane_id integer not null,
    state job_state not null,
    jobs integer not null
);

-- By statement, not by row: one row for each lane and state that a statement touched.
create function count_jobs() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
    if tg_op = 'DELETE' then
        insert into job_count_change (lane_id, state, jobs)
        select o.lane_id, o.state, -count(*) from old_job o group by o.lane_id, o.state;
    else
        insert into job_count_change (lane_id, state, jobs)
        select c.lane_id, c.state, sum(c.jobs)
        from (
            select n.lane_id, n.state, 1 as jobs from new_job n
            union all
            select o.lane_id, o.state, -1 from old_job o
        ) c
        group by c.lane_id, c.state
        having sum(c.jobs) <> 0;
    end if;
    return null;
end
$$;

create trigger count_moved_jobs after update on job
referencing new table as new_job old table as old_job for each statement execute function count_jobs();
create trigger count_deleted_jobs after delete on job
referencing old table as old_job for each statement execute function count_jobs();

insert into job_count (lane_id, state, jobs)
select j.lane_id, j.state, count(*) from job j group by j.lane_id, j.state;

-- migrate:down

drop trigger count_deleted_jobs on job;
drop trigger count_moved_jobs on job;
drop function count_jobs();
drop table job_count_change;
drop table job_count;
