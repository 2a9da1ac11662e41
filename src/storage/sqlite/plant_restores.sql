-- plant_restores: adds rows to the stand-in's restore_runs.
INSERT INTO restore_runs (
    id, workspace_id, managed_environment_id, backup_set_id, operation_run_id, requested_by,
    is_dry_run, status, requested_items, group_mapping, preview, results, metadata,
    failure_reason, started_at, completed_at, deleted_at, created_at
)
SELECT
    value ->> '$.id',
    value ->> '$.workspace_id',
    value ->> '$.managed_environment_id',
    value ->> '$.backup_set_id',
    value ->> '$.operation_run_id',
    value ->> '$.requested_by',
    value ->> '$.is_dry_run',
    value ->> '$.status',
    value ->> '$.requested_items',
    value ->> '$.group_mapping',
    value ->> '$.preview',
    value ->> '$.results',
    value ->> '$.metadata',
    value ->> '$.failure_reason',
    coalesce(CAST(unixepoch(value ->> '$.started_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.started_at'),
    coalesce(CAST(unixepoch(value ->> '$.completed_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.completed_at'),
    coalesce(CAST(unixepoch(value ->> '$.deleted_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.deleted_at'),
    coalesce(CAST(unixepoch(value ->> '$.created_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.created_at')
FROM json_each(?1)
