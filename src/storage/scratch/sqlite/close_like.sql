-- close_like: closes open runs with the verdict about ?2.
UPDATE operation_runs
SET status          = 'completed',
    outcome         = verdict.outcome,
    completed_at    = verdict.completed_at,
    updated_at      = verdict.updated_at,
    summary_counts  = verdict.summary_counts,
    failure_summary = verdict.failure_summary,
    context         = verdict.context
FROM operation_runs AS verdict
WHERE verdict.id = ?2
  AND operation_runs.id IN (SELECT value FROM json_each(?1))
  AND operation_runs.type = 'restore.execute'
  AND operation_runs.status IN ('queued', 'running')
