-- load_backup_items: the first live items of backup sets, at most $2 of each, and how many each set has. Payloads
-- stay where they are: of most not even the beginning is read.
WITH placed AS MATERIALIZED (
    SELECT
        item.id,
        item.backup_set_id,
        row_number() OVER (PARTITION BY item.backup_set_id ORDER BY item.id) AS place,
        count(*) OVER (PARTITION BY item.backup_set_id) AS items
    FROM backup_items AS item
    WHERE item.backup_set_id = ANY ($1::bigint[]) AND item.deleted_at IS NULL
)
SELECT
    placed.backup_set_id,
    placed.items,
    coalesce(
        -- As it is stored, perhaps compressed: nothing of that size is empty.
        pg_column_size(item.payload) > 2000
        OR translate(item.payload::text, E' \t\n\r', '') NOT IN ('', 'null', '[]', '{}', '""'),
        false
    ) AS has_payload,
    CASE WHEN octet_length(document.metadata) <= $3
        THEN convert_to(document.metadata, 'UTF8') END AS metadata,
    item.metadata IS NOT NULL AS has_metadata
FROM placed
JOIN backup_items AS item ON item.id = placed.id
CROSS JOIN LATERAL (
    SELECT item.metadata::text AS metadata
    OFFSET 0 -- keeps the document from being rendered twice
) AS document
WHERE placed.place <= $2
ORDER BY placed.backup_set_id, placed.id
