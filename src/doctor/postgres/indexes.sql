-- indexes: tables by name, and their indexes: columns in order, predicates, and whether they work.
SELECT DISTINCT ON (relation.relname)
    relation.relname::text AS name,
    format('%I.%I', namespace.nspname, relation.relname) AS qualified_name,
    relation.relkind IN ('r', 'p') AS is_table,
    found.indexes::text AS indexes
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
CROSS JOIN LATERAL (
    SELECT coalesce(
        json_agg(
            json_build_object(
                'name', called.relname,
                'qualified_name', format('%I.%I', its.nspname, called.relname),
                'is_valid', index.indisvalid,
                'columns', ARRAY(
                    SELECT pg_get_indexdef(index.indexrelid, place, true)
                    FROM generate_series(1, index.indnkeyatts) AS place
                    ORDER BY place
                ),
                'predicate', pg_get_expr(index.indpred, index.indrelid)
            )
            ORDER BY called.relname
        ),
        '[]'
    ) AS indexes
    FROM pg_index AS index
    JOIN pg_class AS called ON called.oid = index.indexrelid
    JOIN pg_namespace AS its ON its.oid = called.relnamespace
    JOIN pg_am AS method ON method.oid = called.relam
    WHERE index.indrelid = relation.oid AND method.amname IN ('btree', 'hash')
) AS found
WHERE relation.relname = ANY ($1::text[])
  AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND namespace.nspname !~ '^pg_'
  AND namespace.nspname NOT IN ('information_schema', 'reconciler')
ORDER BY relation.relname, pg_table_is_visible(relation.oid) DESC, namespace.nspname
