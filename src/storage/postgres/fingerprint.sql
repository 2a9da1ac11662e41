-- fingerprint: every row that a verdict or a sweep may write, sweeps excepted, in a fixed order. Without $1,
-- when open runs are looked at, and how often they were, is left out.
SELECT content
FROM (
    SELECT 1 AS part, run.id, run::text AS content FROM operation_runs AS run
    UNION ALL
    SELECT 2, audit.id, audit::text FROM audit_logs AS audit
    UNION ALL
    SELECT 3, entry.operation_run_id, entry::text FROM reconciler.ledger AS entry
    UNION ALL
    SELECT 4, watch.operation_run_id,
        (to_jsonb(watch) - CASE WHEN $1 THEN '{}' ELSE '{last_looked_at,look_again_at,tries}'::text[] END)::text
    FROM reconciler.watch_list AS watch
) AS written
ORDER BY part, id
