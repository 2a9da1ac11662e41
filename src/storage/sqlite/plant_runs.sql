-- plant_runs: adds rows to the stand-in's operation_runs.
INSERT INTO operation_runs (
    id, workspace_id, managed_environment_id, type, status, outcome, summary_counts,
    failure_summary, context, started_at, completed_at, created_at, initiator_name,
    run_identity_hash, updated_at
)
SELECT
    value ->> '$.id',
    value ->> '$.workspace_id',
    value ->> '$.managed_environment_id',
    value ->> '$.type',
    value ->> '$.status',
    value ->> '$.outcome',
    value ->> '$.summary_counts',
    value ->> '$.failure_summary',
    value ->> '$.context',
    coalesce(CAST(unixepoch(value ->> '$.started_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.started_at'),
    coalesce(CAST(unixepoch(value ->> '$.completed_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.completed_at'),
    coalesce(CAST(unixepoch(value ->> '$.created_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.created_at'),
    'A. Operator',
    'run-' || (value ->> '$.id'),
    coalesce(CAST(unixepoch(value ->> '$.created_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.created_at')
FROM json_each(?1)
