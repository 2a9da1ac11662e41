-- load_verdict: the verdict on record for a run, if it is of a workspace that may be seen. One of another run that had
-- the same id is none of its.
SELECT
    verdict.operation_run_id, verdict.decision_id, verdict.outcome, verdict.reason_code, verdict.ruleset, verdict.facts,
    verdict.facts_digest, verdict.decision, verdict.worker, verdict.decided_at, verdict.revision,
    verdict.first_decision_id
FROM reconciler_verdicts AS verdict
JOIN operation_runs AS run
  ON run.id = verdict.operation_run_id
 AND +run.workspace_id = verdict.workspace_id
 AND +run.managed_environment_id IS verdict.managed_environment_id
 AND CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END IS verdict.run_created_at
WHERE verdict.operation_run_id = ?1 AND (?2 IS NULL OR +verdict.workspace_id IN (SELECT value FROM json_each(?2)))
