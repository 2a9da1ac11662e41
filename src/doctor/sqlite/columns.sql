-- columns: the columns of every table, and whether each must be given a value.
SELECT
    relation.name AS table_name,
    attribute.name,
    attribute."notnull" = 1 AND attribute.dflt_value IS NULL AND attribute.pk = 0 AS must_be_given
FROM sqlite_schema AS relation
JOIN pragma_table_info(relation.name) AS attribute
WHERE relation.type = 'table'
