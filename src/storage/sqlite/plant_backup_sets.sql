-- plant_backup_sets: adds rows to the stand-in's backup_sets.
INSERT INTO backup_sets (
    id, workspace_id, managed_environment_id, name, status, completed_at, metadata, deleted_at
)
SELECT
    value ->> '$.id',
    value ->> '$.workspace_id',
    value ->> '$.managed_environment_id',
    value ->> '$.name',
    value ->> '$.status',
    coalesce(CAST(unixepoch(value ->> '$.completed_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.completed_at'),
    value ->> '$.metadata',
    coalesce(CAST(unixepoch(value ->> '$.deleted_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.deleted_at')
FROM json_each(?1)
