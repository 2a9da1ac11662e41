-- count_open_runs: how many open runs environments have, since when, and the lowest id of each.
SELECT
    ask.environment_id,
    count(*) AS runs,
    min(CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END) AS oldest,
    min(run.id) AS first
FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
JOIN operation_runs AS run
  ON run.workspace_id = ask.workspace_id
 AND run.managed_environment_id = ask.environment_id
-- Says nothing new, and lets the planner find them in the platform's index over open runs.
WHERE run.managed_environment_id = ANY ($2::bigint[])
  AND run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
GROUP BY ask.environment_id
