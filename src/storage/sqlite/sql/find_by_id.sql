-- find_by_id: what has the id ?2 or is the verdict ?3, of workspaces that a viewer may see: a run, a live restore, and by
-- their runs a snapshot of evidence, where ?4 says so, and a verdict. Whether a run is seen is for describe_runs to say.
SELECT 'run' AS kind, run.id
FROM operation_runs AS run
WHERE run.id = ?2
UNION ALL
SELECT 'restore', restore.id
FROM restore_runs AS restore
JOIN workspaces AS workspace ON workspace.id = restore.workspace_id
JOIN managed_environments AS environment
  ON environment.id = restore.managed_environment_id
 AND environment.workspace_id = restore.workspace_id
 AND environment.deleted_at IS NULL
WHERE restore.id = ?2
  AND restore.deleted_at IS NULL
  AND (?1 IS NULL OR restore.workspace_id IN (SELECT value FROM json_each(?1)))
UNION ALL
SELECT 'evidence', run.id
FROM evidence_snapshots AS snapshot
JOIN operation_runs AS run
  ON run.id = snapshot.operation_run_id
 AND run.workspace_id = snapshot.workspace_id
 AND run.managed_environment_id = snapshot.managed_environment_id
WHERE snapshot.id = ?2 AND ?4
UNION ALL
SELECT 'decision', run.id
FROM reconciler_verdicts AS verdict
JOIN operation_runs AS run
  ON run.id = verdict.operation_run_id
 AND run.workspace_id = verdict.workspace_id
 AND run.managed_environment_id IS verdict.managed_environment_id
 AND verdict.run_created_at IS CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END
WHERE verdict.decision_id = ?3
