-- load_verdicts: all verdicts on record for a run, the latest first, at most ?3; of whose run as in load_verdict.
-- Facts that were erased are null.
SELECT
    verdict.operation_run_id, verdict.decision_id, verdict.outcome, verdict.reason_code, verdict.ruleset,
    coalesce(verdict.facts, kept.facts) AS facts, verdict.facts_digest, verdict.decision, verdict.worker,
    verdict.decided_at, verdict.revision, verdict.first_decision_id
FROM reconciler_ledger AS verdict
JOIN operation_runs AS run
  ON run.id = verdict.operation_run_id
 AND +run.workspace_id = verdict.workspace_id
 AND +run.managed_environment_id IS verdict.managed_environment_id
 AND CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END IS verdict.run_created_at
LEFT JOIN reconciler_ledger_facts AS kept ON kept.facts_digest = verdict.facts_digest
WHERE verdict.operation_run_id = ?1 AND (?2 IS NULL OR +verdict.workspace_id IN (SELECT value FROM json_each(?2)))
ORDER BY verdict.decided_at DESC
LIMIT ?3
