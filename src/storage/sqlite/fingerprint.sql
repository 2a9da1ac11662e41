-- fingerprint: every row that a verdict or a sweep may write, sweeps excepted, in a fixed order. Without ?1,
-- when open runs are looked at, and how often they were, is left out.
-- `quote` tells null from text and text from numbers; the bytes are read as they are.
SELECT CAST(content AS BLOB)
FROM (
    SELECT 1 AS part, id, concat_ws(',', id, quote(status), quote(outcome), quote(summary_counts),
        quote(failure_summary), quote(context), quote(started_at), quote(completed_at),
        quote(updated_at)) AS content
    FROM operation_runs
    UNION ALL
    SELECT 2, id, concat_ws(',', id, quote(workspace_id), quote(managed_environment_id),
        quote(actor_type), quote(actor_label), quote(action), quote(resource_type),
        quote(resource_id), quote(status), quote(outcome), quote(summary), quote(metadata),
        quote(recorded_at))
    FROM audit_logs
    UNION ALL
    SELECT 3, operation_run_id, concat_ws(',', operation_run_id, quote(decision_id),
        quote(workspace_id), quote(managed_environment_id), quote(outcome), quote(reason_code),
        quote(ruleset), quote(facts), quote(facts_digest), quote(decision), quote(worker),
        quote(source), quote(decided_at))
    FROM reconciler_ledger
    UNION ALL
    SELECT 4, operation_run_id, concat_ws(',', operation_run_id, quote(workspace_id),
        quote(managed_environment_id), quote(reason_code), quote(first_seen_at),
        quote(error), iif(?1, concat_ws(',', last_looked_at, look_again_at, tries), ''))
    FROM reconciler_watch_list
) AS written
ORDER BY part, id
