-- load_verdict: the verdict on record for a run, if it is of a workspace that may be seen. One of another run that had
-- the same id is none of its. Facts that were erased are null.
SELECT
    verdict.operation_run_id, verdict.decision_id, verdict.outcome, verdict.reason_code, verdict.ruleset, verdict.facts,
    verdict.facts_digest, verdict.decision, verdict.worker, verdict.decided_at, verdict.revision::bigint AS revision,
    verdict.first_decision_id
FROM operation_runs AS run
CROSS JOIN LATERAL (
    SELECT CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END AS at
) AS created
-- OFFSET has it looked up in the month of the run.
CROSS JOIN LATERAL (
    SELECT entry.*
    FROM reconciler.verdicts AS entry
    WHERE entry.operation_run_id = run.id
      AND (entry.workspace_id, entry.managed_environment_id)
          IS NOT DISTINCT FROM (run.workspace_id, run.managed_environment_id)
      AND (entry.run_created_at = created.at OR (entry.run_created_at IS NULL AND created.at IS NULL))
    OFFSET 0
) AS verdict
WHERE run.id = $1 AND ($2::bigint[] IS NULL OR run.workspace_id = ANY ($2))
