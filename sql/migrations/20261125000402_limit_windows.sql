-- migrate:up

-- How much of a rate has been used, by slices of a fiftieth of its stretch, as long as it counts. A bucket of tokens would let twice
-- the rate through in the stretch after it was full; this lets through at most the rate in any stretch. See docs/adr/0010.
drop table limit_bucket;

create table limit_window (
    limit_key_id integer not null primary key references limit_key (id) on delete cascade,
    -- The end of each slice in which something was released, and how much.
    slices_end_at timestamptz[] not null,
    slices_released integer[] not null,
    constraint limit_window_is_whole check (cardinality(slices_end_at) = cardinality(slices_released))
) with (fillfactor = 50);

grant select, insert, update on limit_window to howdah_scheduler;
-- To lock a key, which is what keeps two schedulers from counting the same jobs.
grant update (updated_at) on limit_key to howdah_scheduler;

-- migrate:down

revoke update (updated_at) on limit_key from howdah_scheduler;
drop table limit_window;
create table limit_bucket (
    limit_key_id integer not null primary key references limit_key (id) on delete cascade,
    tokens double precision not null,
    filled_at timestamptz not null
);
