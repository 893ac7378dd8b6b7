-- migrate:up

-- Compressing chunks as they come takes the server more time than all the rest of storing them, and only for a while: once their log
-- is packed, and compressed much better, they go. Partitions that are there are changed too, but not what is in them.
alter table log_chunk alter column data set storage external;

-- migrate:down

alter table log_chunk alter column data set storage extended;
