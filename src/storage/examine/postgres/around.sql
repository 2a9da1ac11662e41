-- around: the queue's tables, what makes them, who may ask for runs, and triggers of ours on the platform's tables.
WITH queue AS (
    SELECT relation.oid, relation.relname, namespace.oid AS namespace
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname = 'apalis' AND relation.relname IN ('jobs', 'workers')
), missing AS (
    SELECT wanted.name, extension.trusted
    FROM (VALUES ('hstore'), ('pgcrypto')) AS wanted (name)
    LEFT JOIN LATERAL (
        SELECT bool_or(version.trusted) AS trusted
        FROM pg_available_extension_versions AS version
        WHERE version.name = wanted.name
        HAVING count(*) > 0
    ) AS extension ON true
    WHERE NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = wanted.name)
), watching AS (
    SELECT watched.tgenabled, format('%I.%I', namespace.nspname, relation.relname) AS name
    FROM pg_trigger AS watched
    JOIN pg_proc AS called ON called.oid = watched.tgfoid AND called.proname = 'row_changed'
    JOIN pg_namespace AS own ON own.oid = called.pronamespace AND own.nspname = 'reconciler'
    JOIN pg_class AS relation ON relation.oid = watched.tgrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
), platform AS (
    SELECT relation.relowner
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE relation.relname = 'operation_runs'
      AND relation.relkind IN ('r', 'p')
      AND namespace.nspname !~ '^pg_'
    ORDER BY pg_table_is_visible(relation.oid) DESC
    LIMIT 1
)
SELECT
    ARRAY(SELECT relname::text FROM queue ORDER BY relname) AS tables,
    ARRAY(SELECT name FROM missing ORDER BY name) AS extensions_missing,
    ARRAY(
        SELECT name
        FROM missing
        WHERE trusted IS NULL
           OR NOT (
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
               OR (trusted AND has_database_privilege(current_database(), 'CREATE'))
           )
        ORDER BY name
    ) AS extensions_out_of_reach,
    ARRAY(
        SELECT format('GRANT USAGE ON SCHEMA apalis TO %I;', current_user)
        FROM queue
        WHERE NOT has_schema_privilege(namespace, 'USAGE')
        UNION
        SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON apalis.%I TO %I;', relname, current_user)
        FROM queue
        WHERE NOT (
            has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
            AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')
        )
        ORDER BY 1 DESC
    ) AS grants,
    ARRAY(SELECT name FROM watching WHERE tgenabled <> 'D' ORDER BY name) AS triggers,
    ARRAY(SELECT name FROM watching WHERE tgenabled = 'D' ORDER BY name) AS triggers_off,
    (SELECT quote_ident(pg_get_userbyid(relowner)) FROM platform) AS platform_role,
    (
        SELECT bool_and(
            has_schema_privilege(platform.relowner, called.pronamespace, 'USAGE')
            AND has_function_privilege(platform.relowner, called.oid, 'EXECUTE')
        )
        FROM platform, pg_proc AS called
        JOIN pg_namespace AS own ON own.oid = called.pronamespace
        WHERE own.nspname = 'reconciler' AND called.proname = 'request'
    ) AS platform_may_request
