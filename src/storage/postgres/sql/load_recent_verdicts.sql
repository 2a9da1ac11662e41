-- load_recent_verdicts: the latest $2 verdicts of each workspace, each with the moment at which its run was created and
-- whether the run still says the same, but for those of environments that are gone, and of another platform's runs that had
-- the same ids. Of these many may be newer; so many are looked past, and no more.
SELECT ask.workspace_id, verdict.managed_environment_id, verdict.run_created_at, verdict.decided_at, verdict.outcome,
    verdict.reason_code, verdict.stands
FROM unnest($1::bigint[]) AS ask (workspace_id)
CROSS JOIN LATERAL (
    SELECT latest.managed_environment_id, coalesce(latest.run_created_at, latest.decided_at) AS run_created_at,
        latest.decided_at, latest.outcome, latest.reason_code,
        (run.status = 'completed' AND run.outcome::text = latest.outcome) IS TRUE AS stands
    FROM (
        SELECT entry.operation_run_id, entry.managed_environment_id, entry.run_created_at, entry.decided_at, entry.outcome,
            entry.reason_code
        FROM reconciler.verdicts AS entry
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
        LIMIT 10 * $2
    ) AS latest
    -- OFFSET has each run looked up by its id.
    CROSS JOIN LATERAL (
        SELECT run.managed_environment_id, run.created_at, run.status, run.outcome
        FROM operation_runs AS run
        WHERE run.id = latest.operation_run_id AND run.workspace_id = ask.workspace_id
        OFFSET 0
    ) AS run
    WHERE (run.managed_environment_id, CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END)
        IS NOT DISTINCT FROM (latest.managed_environment_id, latest.run_created_at)
    ORDER BY latest.decided_at DESC
    LIMIT $2
) AS verdict
