-- note_like: notes the verdict about ?2 in the audit log, for each of these runs.
INSERT INTO audit_logs (
    workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type, resource_id, status,
    outcome, summary, metadata, recorded_at
)
SELECT
    run.workspace_id, run.managed_environment_id, verdict.actor_type, verdict.actor_label, verdict.action,
    verdict.resource_type, CAST(run.id AS TEXT), verdict.status, verdict.outcome, verdict.summary,
    verdict.metadata, verdict.recorded_at
FROM operation_runs AS run
JOIN audit_logs AS verdict
  ON verdict.resource_type = 'operation_run'
 AND verdict.resource_id = CAST(?2 AS TEXT)
 AND verdict.action = 'operation_run.reconciled'
WHERE run.id IN (SELECT value FROM json_each(?1))
