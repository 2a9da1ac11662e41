-- binding: which platform our schema serves, and whether the search path leads there.
WITH bound AS (
    SELECT
        schema_name,
        install_id,
        quote_ident(schema_name) AS schema,
        to_char(bound_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS since,
        (
            SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'reconciler.platform'::regclass
        ) AS owner,
        EXISTS (
            SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE relname = 'operation_runs' AND nspname = schema_name
        ) AS is_there
    FROM reconciler.platform
), found AS (
    SELECT nspname, quote_ident(nspname) AS schema
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = to_regclass('operation_runs')
)
SELECT 'platform served' AS subject, checked.*
FROM (SELECT) AS asked
LEFT JOIN bound ON true
LEFT JOIN found ON true
CROSS JOIN LATERAL (
    SELECT 'problem' AS level, 'Our schema serves no platform: the row that says which is gone.' AS finding,
        'Run `restore-reconciler migrate --rebind`.' AS action
    WHERE bound.schema IS NULL
    UNION ALL
    SELECT 'good',
        format('Our schema serves the platform in schema %s since %s; install id %s.', bound.schema, since, install_id), NULL
    WHERE bound.schema_name = coalesce(found.nspname, CASE WHEN is_there THEN bound.schema_name END)
    UNION ALL
    SELECT 'problem',
        format(
            'Our schema serves the platform in schema %s, where no runs are any more, and the search path leads to none: nothing '
            'is settled, and reconciler.request finds no run. Install id %s.', bound.schema, install_id
        ),
        format(
            'Where schema %s was renamed: as %s, with a search path that leads to its new name, restore-reconciler migrate '
            '--rebind', bound.schema, owner
        )
    WHERE found.nspname IS NULL AND NOT is_there
    UNION ALL
    SELECT 'problem',
        format(
            'Our schema serves the platform in schema %s, where no runs are any more, and the search path leads to that in '
            'schema %s: nothing is settled, and reconciler.request finds no run. Install id %s.',
            bound.schema, found.schema, install_id
        ),
        format(
            'Where schema %s was renamed, or the platform was moved: as %s, with a search path that leads to schema %s, '
            'restore-reconciler migrate --rebind', bound.schema, owner, found.schema
        )
    WHERE bound.schema_name <> found.nspname AND NOT is_there
    UNION ALL
    SELECT 'problem',
        format(
            'Our schema serves the platform in schema %s, and the search path leads to another one in schema %s: nothing is '
            'settled. Install id %s.', bound.schema, found.schema, install_id
        ),
        format(
            'Give a second platform a database of its own: our schema''s name is fixed. Where schema %s is what is meant, '
            'have the search path lead there; where the platform was moved to %s: as %s, restore-reconciler migrate --rebind',
            bound.schema, found.schema, owner
        )
    WHERE bound.schema_name <> found.nspname AND is_there
) AS checked
UNION ALL
-- Some tables of one platform and some of another.
SELECT 'table ' || need.name, 'problem',
    format(
        'The search path leads to %I.%I, and schema %s, whose platform our schema serves, has such a table, too: rows of the '
        'wrong one are taken for proof.', nspname, relname, bound.schema
    ),
    format('Have the search path lead to schema %s first, or remove %I.%I.', bound.schema, nspname, relname)
FROM bound
CROSS JOIN jsonb_to_recordset($1::jsonb) AS need (part text, name text)
JOIN pg_class ON pg_class.oid = to_regclass(quote_ident(need.name))
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE need.part IN ('platform', 'console')
  AND need.name <> 'operation_runs'
  AND nspname <> bound.schema_name
  AND EXISTS (
      SELECT FROM pg_class AS other JOIN pg_namespace AS home ON home.oid = other.relnamespace
      WHERE other.relname = need.name AND home.nspname = bound.schema_name
  )
