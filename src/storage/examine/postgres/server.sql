-- server: what answers, and as whom we are here.
SELECT
    version() AS version,
    current_setting('server_version_num')::integer AS version_number,
    pg_is_in_recovery() AS is_replica,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    quote_ident(current_database()) AS database,
    quote_ident(current_user) AS role,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
    current_setting('search_path') AS search_path,
    has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
    (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'reconciler')
        AS may_use_own_schema
