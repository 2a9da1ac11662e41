-- columns: the columns of tables, their types, and what this role may do with each.
SELECT
    attribute.attrelid AS table_oid,
    attribute.attname::text AS name,
    format_type(
        CASE WHEN type.typtype = 'd' THEN type.typbasetype ELSE type.oid END, NULL
    ) AS type_name,
    attribute.attnotnull AND NOT attribute.atthasdef AND attribute.attidentity = ''
        AS must_be_given,
    has_column_privilege(attribute.attrelid, attribute.attnum, 'SELECT') AS may_select,
    has_column_privilege(attribute.attrelid, attribute.attnum, 'INSERT') AS may_insert,
    has_column_privilege(attribute.attrelid, attribute.attnum, 'UPDATE') AS may_update,
    -- The sequence behind `serial` needs a privilege of its own; the one of an identity does not.
    sequence.name AS sequence,
    coalesce(sequence.is_usable, true) AS may_use_sequence
FROM pg_attribute AS attribute
JOIN pg_type AS type ON type.oid = attribute.atttypid
LEFT JOIN LATERAL (
    SELECT
        format('%I.%I', namespace.nspname, relation.relname) AS name,
        has_sequence_privilege(relation.oid, 'USAGE')
            OR has_sequence_privilege(relation.oid, 'UPDATE') AS is_usable
    FROM pg_attrdef AS expression
    JOIN pg_depend AS dependency
      ON dependency.classid = 'pg_attrdef'::regclass
     AND dependency.objid = expression.oid
     AND dependency.refclassid = 'pg_class'::regclass
    JOIN pg_class AS relation ON relation.oid = dependency.refobjid AND relation.relkind = 'S'
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE expression.adrelid = attribute.attrelid AND expression.adnum = attribute.attnum
    LIMIT 1
) AS sequence ON true
WHERE attribute.attrelid = ANY ($1::oid[])
  AND attribute.attnum > 0
  AND NOT attribute.attisdropped
ORDER BY attribute.attrelid, attribute.attnum
