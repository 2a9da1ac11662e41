-- load_verdict: the verdict on record for a run, if it is of a workspace that may be seen. One of another run that had
-- the same id is none of its.
SELECT
    verdict.operation_run_id, verdict.decision_id, verdict.outcome, verdict.reason_code, verdict.ruleset, verdict.facts,
    verdict.facts_digest, verdict.decision, verdict.worker, verdict.decided_at, verdict.revision::bigint AS revision,
    verdict.first_decision_id
FROM reconciler.verdicts AS verdict
JOIN operation_runs AS run
  ON run.id = verdict.operation_run_id
 AND (run.workspace_id, run.managed_environment_id, CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END)
     IS NOT DISTINCT FROM (verdict.workspace_id, verdict.managed_environment_id, verdict.run_created_at)
WHERE verdict.operation_run_id = $1 AND ($2::bigint[] IS NULL OR verdict.workspace_id = ANY ($2))
