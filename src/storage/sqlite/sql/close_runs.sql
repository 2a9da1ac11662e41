-- close_runs: closes the runs that are still open.
UPDATE operation_runs
SET status          = 'completed',
    outcome         = verdict.value ->> '$.outcome',
    started_at      = coalesce(started_at, verdict.value ->> '$.started_at'),
    completed_at    = verdict.value ->> '$.completed_at',
    updated_at      = verdict.value ->> '$.updated_at',
    -- Null means: leave the column alone.
    summary_counts  = coalesce(verdict.value ->> '$.summary_counts', summary_counts),
    failure_summary = coalesce(verdict.value ->> '$.failure_summary', failure_summary),
    context         = verdict.value ->> '$.context'
FROM json_each(?1) AS verdict
WHERE operation_runs.id = verdict.value ->> '$.id'
  AND operation_runs.workspace_id = verdict.value ->> '$.workspace_id'
  AND operation_runs.managed_environment_id IS verdict.value ->> '$.managed_environment_id'
  AND operation_runs.type = 'restore.execute'
  AND operation_runs.status IN ('queued', 'running')
