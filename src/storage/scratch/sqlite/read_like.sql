-- read_like: reads what a settlement of these runs would read, and keeps nothing of it.
SELECT
    (
        SELECT sum(length(context) + length(failure_summary) + length(summary_counts))
        FROM operation_runs
        WHERE id IN (SELECT value FROM json_each(?1)) AND type = 'restore.execute'
          AND status IN ('queued', 'running')
    ),
    (
        SELECT sum(length(requested_items) + length(results) + length(metadata))
        FROM restore_runs
        WHERE operation_run_id IN (SELECT value FROM json_each(?1)) AND deleted_at IS NULL
    ),
    (
        SELECT count(*)
        FROM audit_logs
        WHERE resource_type = 'restore_run'
          AND resource_id IN (SELECT CAST(value AS TEXT) FROM json_each(?1))
          AND action IN (SELECT value FROM json_each(?2))
    ),
    (
        SELECT count(*)
        FROM evidence_snapshots
        WHERE operation_run_id IN (SELECT value FROM json_each(?1))
    )
