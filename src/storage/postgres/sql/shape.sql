-- shape: what is in our schemas of what migrations make there, as the server describes it, and the statement that makes it
-- again; of columns the type, of indexes and triggers whether they work.
-- The ledger's months come and go, and are left out. It wants a search path that leads to no schema of ours or of an
-- extension, so that names are told in one way.
WITH space AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('reconciler', 'apalis')
), relation AS (
    SELECT class.oid, class.relname, nspname, format('%I.%I', nspname, class.relname) AS name
    FROM pg_class AS class JOIN space ON space.oid = class.relnamespace
    WHERE class.relkind IN ('r', 'p') AND NOT class.relispartition
)
SELECT 'extension' AS kind, extname::text AS name, '' AS definition, 'CREATE EXTENSION IF NOT EXISTS hstore' AS statement
FROM pg_extension
WHERE extname = 'hstore'
UNION ALL
SELECT 'table', name, '', 'CREATE TABLE ' || name || ' ()' FROM relation
UNION ALL
SELECT 'column', relation.name || '.' || quote_ident(attname), type.name,
    format(
        'ALTER TABLE %s ADD COLUMN %I %s%s%s', relation.name, attname, type.name,
        ' DEFAULT ' || pg_get_expr(expression.adbin, expression.adrelid), CASE WHEN attnotnull THEN ' NOT NULL' END
    )
FROM relation
JOIN pg_attribute ON attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef AS expression ON expression.adrelid = attrelid AND expression.adnum = attnum
CROSS JOIN LATERAL (
    -- Where an extension is, differs from one database to the next.
    SELECT CASE WHEN extension.objid IS NULL THEN format_type(atttypid, atttypmod) ELSE typname END AS name
    FROM pg_type
    LEFT JOIN pg_depend AS extension
      ON extension.classid = 'pg_type'::regclass AND extension.objid = pg_type.oid AND extension.deptype = 'e'
    WHERE pg_type.oid = atttypid
) AS type
UNION ALL
SELECT 'constraint', name || ' ' || quote_ident(conname), '',
    format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I; ALTER TABLE %1$s ADD CONSTRAINT %2$I %s', name, conname, said.definition)
FROM relation
-- What other schemas may take along with them is of the queue.
JOIN pg_constraint ON conrelid = relation.oid AND nspname = 'apalis' AND contype IN ('f', 'p', 'u')
CROSS JOIN LATERAL (SELECT pg_get_constraintdef(pg_constraint.oid) AS definition) AS said
UNION ALL
SELECT 'index', format('%I.%I', relation.nspname, made.relname), CASE WHEN indisvalid THEN '' ELSE 'invalid' END,
    format('DROP INDEX IF EXISTS %I.%I; %s', relation.nspname, made.relname, said.definition)
FROM relation
JOIN pg_index ON indrelid = relation.oid
JOIN pg_class AS made ON made.oid = indexrelid
CROSS JOIN LATERAL (
    -- How full its pages are, and the like, is for whoever looks after the server.
    SELECT regexp_replace(replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON '), ' WITH \([^)]*\)', '') AS definition
) AS said
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'function', called.name, '',
    called.definition || CASE WHEN nspname = 'reconciler' THEN '; REVOKE EXECUTE ON FUNCTION ' || called.name || ' FROM PUBLIC' ELSE '' END
FROM pg_proc
JOIN space ON space.oid = pronamespace AND prokind = 'f'
CROSS JOIN LATERAL (
    SELECT
        format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)) AS name,
        -- Which platform is asked about, differs from one database to the next.
        regexp_replace(
            trim(TRAILING E'\n' FROM pg_get_functiondef(pg_proc.oid)), 'FROM [^\n]+ AS run\n', E'FROM {runs} AS run\n'
        ) AS definition
) AS called
WHERE NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
UNION ALL
SELECT 'trigger', name || ' ' || quote_ident(tgname), CASE WHEN tgenabled IN ('O', 'A') THEN '' ELSE 'switched off' END,
    format('DROP TRIGGER IF EXISTS %I ON %s; %s', tgname, name, said.definition)
FROM relation
JOIN pg_trigger ON tgrelid = relation.oid AND NOT tgisinternal
CROSS JOIN LATERAL (SELECT pg_get_triggerdef(pg_trigger.oid) AS definition) AS said
UNION ALL
-- Only where somebody asked for it.
SELECT 'trigger', class.relname || ' restore_reconciler_request', '', NULL
FROM pg_proc
JOIN space ON space.oid = pronamespace AND nspname = 'reconciler' AND proname IN ('row_changed', 'audit_written')
JOIN pg_trigger ON tgfoid = pg_proc.oid
JOIN pg_class AS class ON class.oid = tgrelid
UNION ALL
SELECT 'request', regexp_replace(prosrc, '.*FROM ([^\n]+) AS run\n.*', '\1'), '', NULL
FROM pg_proc
JOIN space ON space.oid = pronamespace AND nspname = 'reconciler' AND proname = 'request'
ORDER BY kind, name
