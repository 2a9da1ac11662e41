-- own: whether our own schema is there and whole. Level `record` leaves the answer to the record of migrations.
WITH me AS (
    SELECT
        quote_ident(current_user) AS role,
        quote_ident(current_database()) AS database,
        has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
        (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'reconciler') AS may_use_schema
), need AS (
    SELECT need.name, need.place, relation.oid
    FROM ROWS FROM (
        jsonb_to_recordset($1::jsonb) AS (part text, name text)
    ) WITH ORDINALITY AS need (part, name, place)
    LEFT JOIN pg_class AS relation
      ON relation.relname = need.name
     AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
     AND relation.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'reconciler')
    WHERE need.part = 'own'
), record AS (
    SELECT oid IS NOT NULL AS is_there, has_table_privilege(oid, 'SELECT') AS may_read
    FROM need
    WHERE name = 'migrations'
)
SELECT 'schema reconciler' AS subject, state.*
FROM me, record, LATERAL (
    SELECT 'problem' AS level, 'The schema does not exist yet.' AS finding,
        CASE WHEN may_create_schema THEN $3
            ELSE format(
                'Run `restore-reconciler migrate` as a role that may create schemas in database %s; %s may not.',
                database, role
            ) END AS action
    WHERE may_use_schema IS NULL
    UNION ALL
    SELECT 'problem', 'The schema is there, but holds no record of migrations.', $3
    WHERE may_use_schema IS NOT NULL AND NOT is_there
    UNION ALL
    SELECT 'problem',
        format(
            'Role %s may not read which migrations were run, and nothing is written to a schema of unknown age.',
            role
        ),
        format('GRANT SELECT ON reconciler.migrations TO %s;', role)
    WHERE is_there AND NOT (may_use_schema AND may_read)
    UNION ALL
    SELECT 'record', '', NULL
    WHERE is_there AND may_use_schema AND may_read
) AS state
UNION ALL
(
    SELECT 'table reconciler.' || name, 'problem', 'It was created by a migration and is gone.',
        'Restore schema reconciler from a backup: a ledger cannot be written again.'
    FROM need, me
    WHERE oid IS NULL AND may_use_schema IS NOT NULL
    ORDER BY place
)
