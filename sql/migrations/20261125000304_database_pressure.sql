-- migrate:up

-- What slows a busy PostgreSQL down before anybody notices: rows that wait to be cleaned up, and what keeps them from it.
-- The activity of other roles is shown to few: so this runs as the owner, whom the bootstrap lets read statistics.
create function database_pressure() returns table (measure text, subject text, amount double precision)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select 'dead_rows', t.relname::text, t.n_dead_tup::double precision
    from pg_stat_user_tables t
    where t.schemaname = 'public'
    union all
    select 'live_rows', t.relname::text, t.n_live_tup::double precision
    from pg_stat_user_tables t
    where t.schemaname = 'public'
    union all
    select 'notify_queue_usage', '', pg_notification_queue_usage()
    union all
    -- Whoever holds back cleaning up the longest, and for how many transactions; nobody: no row.
    (
        select 'oldest_xmin_age', h.holder, h.age::double precision
        from (
            select 'session ' || coalesce(nullif(a.application_name, ''), a.usename, a.backend_type) as holder,
                age(a.backend_xmin) as age
            from pg_stat_activity a
            where a.backend_xmin is not null
                and a.pid <> pg_backend_pid()
            union all
            select 'replication slot ' || s.slot_name, greatest(age(s.xmin), age(s.catalog_xmin))
            from pg_replication_slots s
            where coalesce(s.xmin, s.catalog_xmin) is not null
            union all
            select 'standby ' || coalesce(nullif(r.application_name, ''), host(r.client_addr)), age(r.backend_xmin)
            from pg_stat_replication r
            where r.backend_xmin is not null
            union all
            select 'prepared transaction ' || p.gid, age(p.transaction)
            from pg_prepared_xacts p
        ) h
        order by h.age desc nulls last
        limit 1
    )
$$;
grant execute on function database_pressure() to howdah_ingest;

-- migrate:down

drop function database_pressure();
