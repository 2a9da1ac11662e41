-- load_recent_verdicts: the latest ?2 verdicts of each workspace, but for those of environments that are gone.
SELECT ask.value AS workspace_id, verdict.decided_at, verdict.outcome
FROM json_each(?1) AS ask
CROSS JOIN reconciler_ledger AS verdict
WHERE verdict.rowid IN (
    SELECT entry.rowid
    FROM reconciler_ledger AS entry
    WHERE entry.workspace_id = ask.value
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
