-- count_open_runs: how many open runs environments have, since when, and the lowest id of each.
SELECT
    run.managed_environment_id AS environment_id,
    count(*) AS runs,
    min(CASE WHEN typeof(run.created_at) = 'integer' AND run.created_at >= 0 THEN run.created_at END) AS oldest,
    min(run.id) AS first
FROM json_each(?1) AS ask
CROSS JOIN operation_runs AS run
  ON run.managed_environment_id = ask.value ->> '$.environment'
 AND run.managed_environment_id IS NOT NULL
 AND +run.workspace_id = ask.value ->> '$.workspace'
WHERE +run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
GROUP BY run.managed_environment_id
