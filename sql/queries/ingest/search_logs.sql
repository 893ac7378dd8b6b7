-- name: LimitLogSearch :one
-- Settings of this transaction alone. A scan of the whole table is never the way: the planner does not know what it costs to fetch
-- the words of every row.
-- @required
select
    (set_config('statement_timeout', @statement_timeout::text, true))::text as statement_timeout,
    (set_config('enable_seqscan', 'off', true))::text as enable_seqscan;

-- name: ListNewestBlocks :many
-- The newest blocks before one of them, at most so many, whatever is in them: whether they hold the words is looked up in each.
-- @row ListedBlock
select
    n.last_at, n.job_id, n.epoch, n.first_seq, n.last_seq, n.retention, n.day,
    (
        select b.words @> @words::integer[]
        from log_block b
        where b.retention = n.retention
            and b.day = n.day
            and b.job_id = n.job_id
            and b.epoch = n.epoch
            and b.first_seq = n.first_seq
    )::boolean as holds_words
from (
    select b.last_at, b.job_id, b.epoch, b.first_seq, b.last_seq, b.retention, b.day
    from log_block b
    where b.last_at <= @before_at::timestamptz
        and (b.last_at, b.job_id, b.epoch, b.first_seq)
            < (@before_at::timestamptz, @before_job_id::uuid, @before_epoch::integer, @before_seq::bigint)
        and b.last_at >= @since::timestamptz
        and b.day >= @from_day::date
        and b.day <= @until_day::date
        and b.top_level >= @least_level::smallint
    order by b.last_at desc, b.job_id desc, b.epoch desc, b.first_seq desc
    limit @max_rows::integer
) n
order by n.last_at desc, n.job_id desc, n.epoch desc, n.first_seq desc;

-- name: ListNewestPipelineBlocks :many
-- The same for the blocks of one pipeline.
-- @row ListedBlock
select
    n.last_at, n.job_id, n.epoch, n.first_seq, n.last_seq, n.retention, n.day,
    (
        select b.words @> @words::integer[]
        from log_block b
        where b.retention = n.retention
            and b.day = n.day
            and b.job_id = n.job_id
            and b.epoch = n.epoch
            and b.first_seq = n.first_seq
    )::boolean as holds_words
from (
    select b.last_at, b.job_id, b.epoch, b.first_seq, b.last_seq, b.retention, b.day
    from log_block b
    where b.pipeline_id = @pipeline_id::uuid
        and b.last_at <= @before_at::timestamptz
        and (b.last_at, b.job_id, b.epoch, b.first_seq)
            < (@before_at::timestamptz, @before_job_id::uuid, @before_epoch::integer, @before_seq::bigint)
        and b.last_at >= @since::timestamptz
        and b.day >= @from_day::date
        and b.day <= @until_day::date
        and b.top_level >= @least_level::smallint
    order by b.last_at desc, b.job_id desc, b.epoch desc, b.first_seq desc
    limit @max_rows::integer
) n
order by n.last_at desc, n.job_id desc, n.epoch desc, n.first_seq desc;

-- name: FindBlocksByWords :many
-- The newest blocks of a stretch of time, before one of them, that hold the words: by the index of words, and by no other, which is what
-- adding nothing to the times is for. By another one, the words of every row would be fetched. All that hold the words are found, and
-- so many are returned.
-- @row ListedBlock
with found as materialized (
    select b.last_at, b.job_id, b.epoch, b.first_seq, b.last_seq, b.retention, b.day
    from log_block b
    where b.words @> @words::integer[]
        and b.day >= @from_day::date
        and b.day <= @until_day::date
        and b.last_at + interval '0' >= @since::timestamptz
        and (b.last_at + interval '0', b.job_id, b.epoch, b.first_seq)
            < (@before_at::timestamptz, @before_job_id::uuid, @before_epoch::integer, @before_seq::bigint)
        and b.top_level >= @least_level::smallint
        and (sqlc.narg('pipeline_id')::uuid is null or b.pipeline_id = sqlc.narg('pipeline_id')::uuid)
)
select f.last_at, f.job_id, f.epoch, f.first_seq, f.last_seq, f.retention, f.day, (true)::boolean as holds_words
from found f
order by f.last_at desc, f.job_id desc, f.epoch desc, f.first_seq desc
limit @max_rows::integer;

-- name: ListBlocksOfJobs :many
-- The newest blocks of jobs before one of them, at most so many, with whether they hold the words.
-- @row ListedBlock
select
    n.last_at, n.job_id, n.epoch, n.first_seq, n.last_seq, n.retention, n.day,
    (
        select b.words @> @words::integer[]
        from log_block b
        where b.retention = n.retention
            and b.day = n.day
            and b.job_id = n.job_id
            and b.epoch = n.epoch
            and b.first_seq = n.first_seq
    )::boolean as holds_words
from (
    select b.last_at, b.job_id, b.epoch, b.first_seq, b.last_seq, b.retention, b.day
    from log_block b
    where b.job_id = any(@job_ids::uuid[])
        and (b.last_at, b.job_id, b.epoch, b.first_seq)
            < (@before_at::timestamptz, @before_job_id::uuid, @before_epoch::integer, @before_seq::bigint)
        and b.last_at >= @since::timestamptz
        and b.day <= @until_day::date
        and b.top_level >= @least_level::smallint
    order by b.last_at desc, b.job_id desc, b.epoch desc, b.first_seq desc
    limit @max_rows::integer
) n
order by n.last_at desc, n.job_id desc, n.epoch desc, n.first_seq desc;

-- name: ReadSearchedJobs :many
-- Of these jobs, those that the filters let pass, as their hits show them. Jobs that are gone are left out, whatever is left of
-- their logs.
-- @nullable pipeline_name run_number branch
select
    j.id as job_id, j.run_id, r.number as run_number, p.name as pipeline_name, r.branch, s.key as job_key, j.state
from job j
join job_spec s on s.job_id = j.id
left join run r on r.id = j.run_id
left join pipeline p on p.id = r.pipeline_id
where j.id = any(@job_ids::uuid[])
    and (sqlc.narg('pipeline_name')::text is null or p.name = sqlc.narg('pipeline_name')::text)
    and (sqlc.narg('branch')::text is null or r.branch = sqlc.narg('branch')::text)
    and (cardinality(@states::job_state[]) = 0 or j.state = any(@states::job_state[]))
    and (sqlc.narg('job_key')::text is null or s.key = sqlc.narg('job_key')::text);

-- name: ReadBlocks :many
-- What is in some blocks, each named by its key.
select b.job_id, b.epoch, b.first_seq, b.data
from rows from (
    unnest(@retentions::log_retention[]),
    unnest(@days::date[]),
    unnest(@job_ids::uuid[]),
    unnest(@epochs::integer[]),
    unnest(@first_seqs::bigint[])
) as k (retention, day, job_id, epoch, first_seq)
join log_block b
    on b.retention = k.retention
    and b.day = k.day
    and b.job_id = k.job_id
    and b.epoch = k.epoch
    and b.first_seq = k.first_seq;

