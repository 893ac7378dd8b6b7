-- name: ListQueues :many
-- Every queue that is known: of jobs, of live executors, or because somebody paused it; with how many live executors serve it.
-- @nullable paused_at paused_by why
select
    n.name::text as queue, q.paused_at, q.paused_by, q.why,
    (
        select count(*)
        from executor e
        where e.ended_at is null
            and e.state = 'active'
            and n.name = any(e.queues)
    )::integer as executors
from (
    select l.queue as name from lane l
    union
    select unnest(e.queues) from executor e where e.ended_at is null
    union
    select p.name from queue p
) n
left join queue q on q.name = n.name
order by n.name;
