-- forget_closed_attempts: forgets the attempts at runs that somebody else has closed or deleted, or that were other
-- runs with the same ids. What an entry does not say is taken to agree.
DELETE FROM reconciler_attempts
WHERE NOT EXISTS (
    SELECT 1
    FROM operation_runs AS run
    WHERE run.id = reconciler_attempts.operation_run_id
      AND run.status IN ('queued', 'running')
      AND run.workspace_id = reconciler_attempts.workspace_id
      AND coalesce(run.managed_environment_id = reconciler_attempts.managed_environment_id, true)
      AND coalesce(run.created_at = reconciler_attempts.run_created_at, true)
)
