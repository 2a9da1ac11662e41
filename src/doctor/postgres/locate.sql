-- locate: where each table of the list is, in the order of the list. Looked up by name and not through the search path,
-- which hides schemas that may not be used.
SELECT (
    SELECT relation.oid::bigint
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE relation.relname = need.name
      AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND CASE WHEN need.schema IS NULL
          THEN namespace.nspname !~ '^pg_' AND namespace.nspname NOT IN ('information_schema', 'reconciler')
          ELSE namespace.nspname = need.schema END
    ORDER BY pg_table_is_visible(relation.oid) DESC, namespace.nspname
    LIMIT 1
) AS oid
FROM ROWS FROM (
    jsonb_to_recordset($1::jsonb) AS (schema text, name text)
) WITH ORDINALITY AS need (schema, name, place)
ORDER BY need.place
