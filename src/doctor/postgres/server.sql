-- server: what answers, and whether it takes writes from this role.
WITH me AS (
    SELECT
        split_part(version(), ' on ', 1) AS product,
        version() LIKE 'PostgreSQL%' AS is_postgresql,
        current_setting('server_version_num')::integer >= 150000 AS is_new_enough,
        pg_is_in_recovery() AS is_replica,
        current_setting('transaction_read_only')::boolean AS is_read_only,
        quote_ident(current_database()) AS database,
        quote_ident(current_user) AS role,
        current_setting('server_encoding') AS encoding
)
SELECT 'server' AS subject, checked.*
FROM me, LATERAL (
    SELECT
        'problem' AS level,
        format('What answers is no PostgreSQL but %s.', product) AS finding,
        'Point RECONCILER_DATABASE_URL at the platform''s PostgreSQL server.' AS action
    WHERE NOT is_postgresql
    UNION ALL
    SELECT 'problem', format('%s is too old.', product), 'Upgrade the server to PostgreSQL 15 or newer.'
    WHERE is_postgresql AND NOT is_new_enough
    UNION ALL
    SELECT 'good', format('%s answers, database %s.', product, database), NULL
    WHERE is_postgresql AND is_new_enough
) AS checked
UNION ALL
SELECT 'writes', checked.*
FROM me, LATERAL (
    SELECT
        'problem',
        'The server is a replica and takes no writes.',
        'Point RECONCILER_DATABASE_URL at the primary.'
    WHERE is_replica
    UNION ALL
    SELECT
        'problem',
        'Transactions of this role are read-only unless they ask for more, and ours do not.',
        format('ALTER ROLE %s IN DATABASE %s SET default_transaction_read_only = off;', role, database)
    WHERE NOT is_replica AND is_read_only
    UNION ALL
    SELECT 'good', 'The server takes writes.', NULL
    WHERE NOT is_replica AND NOT is_read_only
) AS checked
UNION ALL
SELECT 'encoding', checked.*
FROM me, LATERAL (
    SELECT 'good', 'The database''s encoding is UTF8.', NULL
    WHERE encoding = 'UTF8'
    UNION ALL
    SELECT 'advice',
        format(
            'The database''s encoding is %s: what it has no character for can only stand in JSON as an escape. Where the '
            'counts or failures of a run hold escapes beyond ASCII, a verdict leaves these two columns as they are.', encoding
        ),
        'Nothing need be done; when the platform is moved, give it a database with ENCODING ''UTF8''.'
    WHERE encoding <> 'UTF8'
) AS checked
