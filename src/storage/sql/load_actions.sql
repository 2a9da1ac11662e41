-- load_actions: what people did about a run, the latest $2. What was done about another run that had the same id is none
-- of its.
SELECT action.acted_at, action.action AS verb, action.actor, action.outcome, action.reason, action.trace
FROM operation_runs AS run
JOIN reconciler.actions AS action
  ON action.operation_run_id = run.id
 AND action.workspace_id = run.workspace_id
 AND action.managed_environment_id IS NOT DISTINCT FROM run.managed_environment_id
 AND action.run_created_at IS NOT DISTINCT FROM
     CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at::timestamptz END
WHERE run.id = $1
ORDER BY action.acted_at DESC
LIMIT $2
