-- load_backup_items: the first live items of backup sets, at most ?2 of each, and how many each set has. Payloads
-- stay where they are: of most not even the beginning is read.
SELECT
    placed.backup_set_id,
    placed.items,
    coalesce(
        octet_length(item.payload) > 65536
        OR replace(replace(replace(replace(
            CAST(item.payload AS TEXT), ' ', ''), char(9), ''), char(10), ''), char(13), ''
        ) NOT IN ('', 'null', '[]', '{}', '""'),
        0
    ) AS has_payload,
    CASE WHEN octet_length(item.metadata) <= ?3 THEN CAST(item.metadata AS BLOB) END AS metadata,
    item.metadata IS NOT NULL AS has_metadata
FROM (
    SELECT
        item.id,
        item.backup_set_id,
        row_number() OVER (PARTITION BY item.backup_set_id ORDER BY item.id) AS place,
        count(*) OVER (PARTITION BY item.backup_set_id) AS items
    FROM backup_items AS item
    WHERE item.backup_set_id IN (SELECT value FROM json_each(?1)) AND item.deleted_at IS NULL
) AS placed
JOIN backup_items AS item ON item.id = placed.id
WHERE placed.place <= ?2
ORDER BY placed.backup_set_id, placed.id
