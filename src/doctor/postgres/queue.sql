-- queue: the queue's tables, what makes them, who may ask for runs, and triggers of ours on the platform's tables.
-- Nothing here is a problem: verdicts are reached without any of it, by sweeps and by hand.
WITH me AS (
    SELECT
        quote_ident(current_user) AS role,
        (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'reconciler') AS may_use_schema
), tables AS (
    SELECT count(*) AS found
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname = 'apalis' AND relation.relname IN ('jobs', 'workers')
), missing AS (
    SELECT
        wanted.name,
        extension.trusted IS NULL
            OR NOT (
                (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
                OR (extension.trusted AND has_database_privilege(current_database(), 'CREATE'))
            ) AS is_out_of_reach
    FROM (VALUES ('hstore'), ('pgcrypto')) AS wanted (name)
    LEFT JOIN LATERAL (
        SELECT bool_or(version.trusted) AS trusted
        FROM pg_available_extension_versions AS version
        WHERE version.name = wanted.name
        HAVING count(*) > 0
    ) AS extension ON true
    WHERE NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = wanted.name)
), extensions AS (
    SELECT
        string_agg(name, ' and ' ORDER BY name) AS missing,
        string_agg(name, ' and ' ORDER BY name) FILTER (WHERE is_out_of_reach) AS out_of_reach,
        string_agg(format('CREATE EXTENSION IF NOT EXISTS %s;', name), E'\n' ORDER BY name)
            FILTER (WHERE is_out_of_reach) AS statements
    FROM missing
), platform AS (
    SELECT relation.relowner, quote_ident(pg_get_userbyid(relation.relowner)) AS role
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE relation.relname = 'operation_runs'
      AND relation.relkind IN ('r', 'p')
      AND namespace.nspname !~ '^pg_'
    ORDER BY pg_table_is_visible(relation.oid) DESC
    LIMIT 1
), caller AS (
    SELECT
        platform.role,
        bool_and(
            has_schema_privilege(platform.relowner, called.pronamespace, 'USAGE')
            AND has_function_privilege(platform.relowner, called.oid, 'EXECUTE')
        ) AS may_request
    FROM platform, pg_proc AS called
    JOIN pg_namespace AS own ON own.oid = called.pronamespace
    WHERE own.nspname = 'reconciler' AND called.proname = 'request'
    GROUP BY platform.role
), watching AS (
    SELECT watched.tgenabled = 'D' AS is_off, format('%I.%I', namespace.nspname, relation.relname) AS name
    FROM pg_trigger AS watched
    JOIN pg_proc AS called ON called.oid = watched.tgfoid AND called.proname IN ('row_changed', 'audit_written')
    JOIN pg_namespace AS own ON own.oid = called.pronamespace AND own.nspname = 'reconciler'
    JOIN pg_class AS relation ON relation.oid = watched.tgrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
), triggers AS (
    SELECT
        count(*) FILTER (WHERE NOT is_off) AS active,
        string_agg(name, ' and ' ORDER BY name) FILTER (WHERE NOT is_off) AS names,
        string_agg(name, ', ' ORDER BY name) FILTER (WHERE is_off) AS names_off,
        -- The function that they call goes with them where they are removed.
        EXISTS (
            SELECT FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
            WHERE nspname = 'reconciler' AND proname = 'row_changed'
        ) AS is_wanted
    FROM watching
), checked AS (
    SELECT 1 AS place, 'queue' AS subject,
        CASE WHEN found = 2 THEN 'good' ELSE 'advice' END AS level,
        CASE WHEN found = 2 THEN 'The queue''s tables are there.'
            ELSE 'The queue''s tables (schema apalis) are not there; without them, `work` and `enqueue` do not run, and '
                'sweeps do.'
        END AS finding,
        CASE WHEN found < 2 THEN $3 END AS action
    FROM tables
    UNION ALL
    -- Needed once, when the queue's tables are made. Once they are there, nobody asks for the extensions any more.
    SELECT 2, 'extensions',
        CASE WHEN out_of_reach IS NULL THEN 'good' ELSE 'advice' END,
        CASE
            WHEN missing IS NULL THEN 'hstore and pgcrypto are there.'
            WHEN out_of_reach IS NULL THEN format('%s will be created by `restore-reconciler migrate`.', missing)
            ELSE format(
                '%s must be there before the queue''s tables can be made, and role %s may not create that.',
                out_of_reach, role
            )
        END,
        statements
    FROM extensions, tables, me
    WHERE missing IS NULL OR found < 2
    UNION ALL
    -- Nothing where the function is not there: the schema's own check says so.
    SELECT 3, 'reconciler.request',
        CASE WHEN may_request THEN 'good' ELSE 'advice' END,
        CASE
            WHEN may_request THEN format('Role %s, which owns the platform''s tables, may call it.', role)
            ELSE format(
                'Role %s, which owns the platform''s tables, may not call it, so only sweeps and operators find runs.',
                role
            )
        END,
        CASE WHEN NOT may_request THEN format(
            E'GRANT USAGE ON SCHEMA reconciler TO %1$s;\nGRANT EXECUTE ON FUNCTION reconciler.request TO %1$s;', role
        ) END
    FROM caller
    UNION ALL
    SELECT 4, 'platform trigger',
        CASE WHEN names_off IS NULL AND active = CASE WHEN is_wanted THEN 3 ELSE 0 END THEN 'good' ELSE 'advice' END,
        CASE
            WHEN names_off IS NOT NULL THEN format('It is switched off on %s.', names_off)
            WHEN active = 0 AND is_wanted THEN 'It was installed on restore_runs, evidence_snapshots and audit_logs, and went with them.'
            WHEN active = 0 THEN 'It is not installed; `restore-reconciler migrate --with-platform-trigger` would '
                'add it.'
            WHEN active < 3 THEN format('It is installed on %s only.', names)
            ELSE format('It is installed on %s.', names)
        END,
        CASE
            WHEN names_off IS NOT NULL THEN 'Run `restore-reconciler migrate --with-platform-trigger`, or `migrate '
                '--without-platform-trigger`.'
            WHEN is_wanted AND active < 3 THEN 'Run `restore-reconciler migrate --with-platform-trigger`.'
        END
    FROM triggers
)
-- What is missing beside our own schema is made together with it.
SELECT subject, level, finding, action
FROM checked, me
WHERE may_use_schema
ORDER BY place
