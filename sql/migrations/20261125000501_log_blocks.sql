-- migrate:up

-- How long logs are kept, by class; the scheduler's settings say how many days each is. A class of its own partitions: retention drops
-- them, and deletes no rows.
create type log_retention as enum ('short', 'standard', 'long');

alter table pipeline add column log_retention log_retention not null default 'standard';

-- none: nothing was ever written. open: its chunks are all there is, or what is not packed yet. packed: blocks are there and searchable,
-- and the chunks still, for streams that resume by row. compact: blocks only, until retention drops them.
create type log_state as enum ('none', 'open', 'packed', 'compact');

alter table attempt
    add column log_state log_state not null default 'none',
    -- So much has been stored, whatever has become of it.
    add column log_bytes bigint not null default 0,
    add column log_lines bigint not null default 0,
    -- Chunks up to here are in blocks too.
    add column packed_seq bigint not null default 0,
    add column packed_at timestamptz,
    -- The partitions of the blocks; null while there are none.
    add column log_retention log_retention,
    -- Groups and counts of levels, found when the log was packed.
    add column log_outline jsonb,
    -- What most likely tells why it failed: see docs/logs.md.
    add column failing_line bigint,
    add column failing_text text check (octet_length(failing_text) <= 2000);

-- What was written before there were blocks waits to be packed like all else.
update attempt a
set log_state = 'open', log_bytes = w.bytes, log_lines = w.lines
from (
    select c.job_id, c.epoch, sum(octet_length(c.data)) as bytes, sum(cardinality(c.line_offsets_ms)) as lines
    from log_chunk c
    group by c.job_id, c.epoch
) as w
where a.job_id = w.job_id
    and a.epoch = w.epoch;

create index attempt_to_pack on attempt (ended_at) where log_state = 'open';
create index attempt_to_compact on attempt (packed_at) where log_state = 'packed';

-- Number of the first line that the step can have begun.
alter table step add column first_line bigint not null default 0;

-- Chunks of a finished attempt, compressed together, and the words that are in them.
create table log_block (
    retention log_retention not null,
    -- As of the attempt: the day on which it started.
    day date not null,
    job_id uuid not null,
    epoch integer not null,
    first_seq bigint not null,
    last_seq bigint not null,
    -- Number of the first line that begins in it, and how many begin.
    first_line bigint not null,
    line_count integer not null,
    -- Where its bytes stand in the attempt's log, and how many they are.
    first_byte bigint not null,
    byte_count integer not null,
    -- When its last byte was written.
    last_at timestamptz not null,
    -- The gravest level of its lines.
    top_level smallint not null,
    pipeline_id uuid,
    -- Numbers of the words in it: see shared/logs/.
    words integer[] not null,
    data bytea not null,
    primary key (job_id, epoch, first_seq, retention, day)
) partition by list (retention);

alter table log_block alter column data set storage external;
alter table log_block alter column words set storage external;

-- At once, since what waits in a list is merged in order, which leaves pages half empty: the index would be a quarter larger.
create index log_block_words on log_block using gin (words) with (fastupdate = off);
create index log_block_newest on log_block (last_at);
create index log_block_of_pipeline on log_block (pipeline_id, last_at) where pipeline_id is not null;

create table log_block_short partition of log_block for values in ('short') partition by range (day);
create table log_block_standard partition of log_block for values in ('standard') partition by range (day);
create table log_block_long partition of log_block for values in ('long') partition by range (day);

-- Chunks up to this cursor of the stream over all jobs may be gone: who resumes before it is told so.
create table log_gone (
    singleton boolean not null primary key default true check (singleton),
    tx_id bigint not null,
    row_id bigint not null
);
insert into log_gone (tx_id, row_id) values (0, 0);

grant select on log_block, log_gone to howdah_ingest;
grant select, delete on log_chunk to howdah_scheduler;
grant select, insert, delete on log_block to howdah_scheduler;
grant select, update on log_gone to howdah_scheduler;
grant select (log_retention) on pipeline to howdah_scheduler;
grant update (log_state, packed_seq, packed_at, log_retention, log_outline) on attempt to howdah_scheduler;

-- migrate:down

revoke select (log_retention) on pipeline from howdah_scheduler;
revoke update (log_state, packed_seq, packed_at, log_retention, log_outline) on attempt from howdah_scheduler;
revoke select, delete on log_chunk from howdah_scheduler;
drop table log_gone;
drop table log_block;
alter table step drop column first_line;
drop index attempt_to_compact;
drop index attempt_to_pack;
alter table attempt
    drop column log_state,
    drop column log_bytes,
    drop column log_lines,
    drop column packed_seq,
    drop column packed_at,
    drop column log_retention,
    drop column log_outline,
    drop column failing_line,
    drop column failing_text;
drop type log_state;
alter table pipeline drop column log_retention;
drop type log_retention;
