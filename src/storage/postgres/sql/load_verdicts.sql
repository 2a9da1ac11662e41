-- load_verdicts: all verdicts on record for a run, the latest first, at most $3; of whose run as in load_verdict.
-- Facts that were erased are null.
SELECT
    verdict.operation_run_id, verdict.decision_id, verdict.outcome, verdict.reason_code, verdict.ruleset,
    coalesce(verdict.facts, kept.facts) AS facts, verdict.facts_digest, verdict.decision, verdict.worker,
    verdict.decided_at, verdict.revision::bigint AS revision, verdict.first_decision_id
FROM operation_runs AS run
CROSS JOIN LATERAL (
    SELECT CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END AS at
) AS created
-- OFFSET has each looked up in the month of the run.
CROSS JOIN LATERAL (
    SELECT entry.*
    FROM reconciler.ledger AS entry
    WHERE entry.operation_run_id = run.id
      AND (entry.workspace_id, entry.managed_environment_id)
          IS NOT DISTINCT FROM (run.workspace_id, run.managed_environment_id)
      AND (entry.run_created_at = created.at OR (entry.run_created_at IS NULL AND created.at IS NULL))
    OFFSET 0
) AS verdict
LEFT JOIN LATERAL (
    SELECT facts.facts
    FROM reconciler.ledger_facts AS facts
    WHERE facts.facts_digest = decode(verdict.facts_digest, 'hex')
      AND (
          facts.run_created_at = verdict.run_created_at
          OR (facts.run_created_at IS NULL AND verdict.run_created_at IS NULL)
      )
    OFFSET 0
) AS kept ON true
WHERE run.id = $1 AND ($2::bigint[] IS NULL OR run.workspace_id = ANY ($2))
ORDER BY verdict.decided_at DESC
LIMIT $3
