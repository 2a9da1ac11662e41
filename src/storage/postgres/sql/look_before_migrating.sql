-- look_before_migrating: what migrating meets: who migrates, whose our schemas are, and what the extensions need. Names
-- are quoted where they must be.
WITH platform AS (
    SELECT relnamespace AS oid, nspname AS name
    FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = to_regclass('operation_runs')
), home AS (
    SELECT pg_namespace.oid, nspname
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'hstore'
), wanted AS (
    SELECT
        named.name,
        installed.oid IS NOT NULL AS is_there,
        bool_or(available.name IS NOT NULL) AS is_available,
        coalesce(bool_or(available.trusted), false) AS is_trusted
    FROM (VALUES ('hstore'), ('pgcrypto')) AS named (name)
    LEFT JOIN pg_extension AS installed ON installed.extname = named.name
    LEFT JOIN pg_available_extension_versions AS available ON available.name = named.name
    GROUP BY named.name, installed.oid
)
SELECT
    quote_ident(current_database()) AS database,
    quote_ident(current_user) AS role,
    current_user::text AS role_name,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
    has_database_privilege(current_database(), 'CREATE') AS may_create,
    (SELECT quote_ident(name) FROM platform) AS platform_schema,
    coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM platform), false) AS may_create_beside_platform,
    (SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace WHERE nspname = 'reconciler') AS own_owner,
    (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'reconciler') AS is_own_mine,
    (SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace WHERE nspname = 'apalis') AS queue_owner,
    (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'apalis') AS is_queue_mine,
    EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'reconciler' AND relname = 'migrations'
    ) AS is_own_recorded,
    EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'reconciler' AND relname = 'platform'
    ) AS is_bound,
    EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'apalis' AND relname = '_sqlx_migrations'
    ) AS is_queue_recorded,
    (SELECT json_agg(wanted)::text FROM wanted) AS extensions,
    (SELECT quote_ident(nspname) FROM home) AS hstore_schema,
    (SELECT has_schema_privilege(oid, 'USAGE') FROM home) AS may_name_hstore
