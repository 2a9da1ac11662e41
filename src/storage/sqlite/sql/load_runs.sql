-- load_runs: runs in any state, as one snapshot sees them.
SELECT
    run.id,
    run.workspace_id,
    run.managed_environment_id AS environment_id,
    CAST(run.type AS TEXT) AS run_type,
    CAST(coalesce(run.status, '') AS TEXT) AS status,
    CAST(coalesce(run.outcome, '') AS TEXT) AS outcome,
    CASE WHEN octet_length(run.context) <= ?2 THEN CAST(run.context AS BLOB) END AS context,
    run.context IS NOT NULL AS has_context,
    CASE WHEN octet_length(run.failure_summary) <= ?2
        THEN CAST(run.failure_summary AS BLOB) END AS failure_summary,
    run.failure_summary IS NOT NULL AS has_failure_summary,
    CASE WHEN octet_length(run.summary_counts) <= ?2
        THEN CAST(run.summary_counts AS BLOB) END AS summary_counts,
    run.summary_counts IS NOT NULL AS has_summary_counts,
    run.started_at,
    run.completed_at,
    run.created_at,
    watch.reason_code AS watched_reason,
    watch.tries AS watched_tries,
    EXISTS (
        SELECT 1 FROM reconciler_attempts AS attempt WHERE attempt.operation_run_id = run.id
    ) AS is_suspect
FROM operation_runs AS run
LEFT JOIN reconciler_watch_list AS watch ON watch.operation_run_id = run.id
WHERE run.id IN (SELECT value FROM json_each(?1))
ORDER BY run.id
