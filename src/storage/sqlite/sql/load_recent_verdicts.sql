-- load_recent_verdicts: the latest ?2 verdicts of each workspace, each with the moment at which its run was created and
-- whether the run still says the same, but for those of environments that are gone.
SELECT ask.value AS workspace_id, verdict.managed_environment_id,
    coalesce(verdict.run_created_at, verdict.decided_at) AS run_created_at, verdict.decided_at, verdict.outcome,
    verdict.reason_code, EXISTS (
        SELECT 1
        FROM operation_runs AS run
        WHERE run.id = verdict.operation_run_id AND +run.status = 'completed' AND run.outcome = verdict.outcome
    ) AS stands
FROM json_each(?1) AS ask
CROSS JOIN reconciler_ledger AS verdict
WHERE verdict.decision_id IN (
    SELECT entry.decision_id
    FROM reconciler_verdicts AS entry
    WHERE entry.workspace_id = ask.value
      -- Not those of another platform's runs that had the same ids.
      AND EXISTS (
          SELECT 1
          FROM operation_runs AS run
          WHERE run.id = entry.operation_run_id
            AND +run.workspace_id = entry.workspace_id
            AND +run.managed_environment_id IS entry.managed_environment_id
            AND CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END IS entry.run_created_at
      )
      AND (
          entry.managed_environment_id IS NULL
          OR EXISTS (
              SELECT 1
              FROM managed_environments AS environment
              WHERE environment.id = entry.managed_environment_id
                AND environment.workspace_id = entry.workspace_id
                AND environment.deleted_at IS NULL
          )
      )
    ORDER BY entry.decided_at DESC
    LIMIT ?2
)
