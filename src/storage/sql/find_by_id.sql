-- find_by_id: what has the id $2 or is the verdict $3, of workspaces that a viewer may see: a run, a live restore, and by
-- their runs a snapshot of evidence, where $4 says so, and a verdict. Whether a run is seen is for describe_runs to say.
SELECT 'run' AS kind, run.id
FROM operation_runs AS run
WHERE run.id = $2
UNION ALL
SELECT 'restore', restore.id
FROM restore_runs AS restore
JOIN workspaces AS workspace ON workspace.id = restore.workspace_id
LEFT JOIN managed_environments AS environment
  ON environment.id = restore.managed_environment_id
 AND environment.workspace_id = restore.workspace_id
 AND environment.deleted_at IS NULL
WHERE restore.id = $2
  AND restore.managed_environment_id IS NOT NULL
  AND (environment.id IS NOT NULL OR $1::bigint[] IS NULL)
  AND restore.deleted_at IS NULL
  AND ($1::bigint[] IS NULL OR restore.workspace_id = ANY ($1::bigint[])) IS TRUE
UNION ALL
SELECT 'evidence', run.id
FROM evidence_snapshots AS snapshot
JOIN operation_runs AS run
  ON run.id = snapshot.operation_run_id
 AND run.workspace_id = snapshot.workspace_id
 AND run.managed_environment_id = snapshot.managed_environment_id
WHERE snapshot.id = $2 AND $4::boolean
UNION ALL
SELECT 'decision', run.id
FROM reconciler.verdicts AS verdict
JOIN operation_runs AS run
  ON run.id = verdict.operation_run_id
 AND run.workspace_id = verdict.workspace_id
 AND run.managed_environment_id IS NOT DISTINCT FROM verdict.managed_environment_id
 AND verdict.run_created_at IS NOT DISTINCT FROM
     CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END
WHERE verdict.decision_id = $3
