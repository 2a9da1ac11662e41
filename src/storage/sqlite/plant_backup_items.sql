-- plant_backup_items: adds rows to the stand-in's backup_items.
INSERT INTO backup_items (
    backup_set_id, policy_type, payload, assignments, metadata, captured_at, deleted_at
)
SELECT
    value ->> '$.backup_set_id',
    value ->> '$.policy_type',
    value ->> '$.payload',
    value ->> '$.assignments',
    value ->> '$.metadata',
    coalesce(CAST(unixepoch(value ->> '$.captured_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.captured_at'),
    coalesce(CAST(unixepoch(value ->> '$.deleted_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.deleted_at')
FROM json_each(?1)
