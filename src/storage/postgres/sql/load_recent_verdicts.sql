-- load_recent_verdicts: the latest $2 verdicts of each workspace, but for those of environments that are gone.
SELECT ask.workspace_id, verdict.decided_at, verdict.outcome
FROM unnest($1::bigint[]) AS ask (workspace_id)
CROSS JOIN LATERAL (
    SELECT entry.decided_at, entry.outcome
    FROM reconciler.ledger AS entry
    WHERE entry.workspace_id = ask.workspace_id
      AND (
          entry.managed_environment_id IS NULL
          OR EXISTS (
              SELECT
              FROM managed_environments AS environment
              WHERE environment.id = entry.managed_environment_id
                AND environment.workspace_id = entry.workspace_id
                AND environment.deleted_at IS NULL
          )
      )
    ORDER BY entry.decided_at DESC
    LIMIT $2
) AS verdict
