-- fingerprint: every row that a verdict or a sweep may write, sweeps excepted, in a fixed order.
SELECT content
FROM (
    SELECT 1 AS part, id, concat_ws('|', id, status, outcome, summary_counts, failure_summary,
        context, started_at, completed_at, updated_at) AS content
    FROM operation_runs
    UNION ALL
    SELECT 2, id, concat_ws('|', id, action, resource_type, resource_id, status, outcome, summary,
        metadata, recorded_at)
    FROM audit_logs
    UNION ALL
    SELECT 3, operation_run_id, concat_ws('|', operation_run_id, decision_id, outcome, facts_digest)
    FROM reconciler_ledger
    UNION ALL
    SELECT 4, operation_run_id, concat_ws('|', operation_run_id, reason_code, first_seen_at,
        last_looked_at, look_again_at, tries)
    FROM reconciler_watch_list
) AS written
ORDER BY part, id
