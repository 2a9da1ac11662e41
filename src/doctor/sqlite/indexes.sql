-- indexes: the indexes of every table: their columns in order as a list, and what created them.
SELECT
    relation.name AS table_name,
    list.name,
    (
        SELECT json_group_array(coalesce(member.name, ''))
        FROM (SELECT name FROM pragma_index_info(list.name) ORDER BY seqno) AS member
    ) AS columns,
    list.partial = 1 AS is_partial,
    definition.sql AS definition
FROM sqlite_schema AS relation
JOIN pragma_index_list(relation.name) AS list
LEFT JOIN sqlite_schema AS definition
  ON definition.type = 'index' AND definition.name = list.name
WHERE relation.type = 'table'
ORDER BY relation.name, list.name
