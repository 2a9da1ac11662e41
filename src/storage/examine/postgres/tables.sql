-- tables: where tables of these names are, and what this role may do with them.
-- Looked up by name and not through the search path, which hides schemas that may not be used.
SELECT DISTINCT ON (relation.relname)
    relation.oid,
    relation.relname::text AS name,
    quote_ident(namespace.nspname) AS schema,
    format('%I.%I', namespace.nspname, relation.relname) AS qualified_name,
    relation.relkind IN ('r', 'p') AS is_table,
    pg_table_is_visible(relation.oid) AS is_on_search_path,
    has_schema_privilege(namespace.oid, 'USAGE') AS may_use_schema,
    pg_has_role(relation.relowner, 'USAGE') AS is_owner,
    row_security_active(relation.oid) AS hides_rows,
    has_table_privilege(relation.oid, 'SELECT') AS may_select,
    has_table_privilege(relation.oid, 'INSERT') AS may_insert,
    has_table_privilege(relation.oid, 'UPDATE') AS may_update,
    has_table_privilege(relation.oid, 'DELETE') AS may_delete
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE relation.relname = ANY ($1::text[])
  AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND CASE WHEN $2::text IS NULL
      THEN namespace.nspname !~ '^pg_' AND namespace.nspname NOT IN ('information_schema', 'reconciler')
      ELSE namespace.nspname = $2 END
ORDER BY relation.relname, pg_table_is_visible(relation.oid) DESC, namespace.nspname
