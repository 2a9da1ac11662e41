-- indexes: the indexes of tables: their columns in order, their predicates, and whether they work.
SELECT
    index.indrelid AS table_oid,
    relation.relname::text AS name,
    format('%I.%I', namespace.nspname, relation.relname) AS qualified_name,
    index.indisvalid AS is_valid,
    ARRAY(
        SELECT pg_get_indexdef(index.indexrelid, place, true)
        FROM generate_series(1, index.indnkeyatts) AS place
        ORDER BY place
    ) AS columns,
    pg_get_expr(index.indpred, index.indrelid) AS predicate
FROM pg_index AS index
JOIN pg_class AS relation ON relation.oid = index.indexrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
JOIN pg_am AS method ON method.oid = relation.relam
WHERE index.indrelid = ANY ($1::oid[])
  AND method.amname IN ('btree', 'hash')
ORDER BY index.indrelid, relation.relname
