-- forget_closed: takes runs off the watch list, and forgets attempts at runs, that somebody else has closed or deleted, or
-- that were other runs with the same ids. What an entry does not say is taken to agree.
DELETE FROM reconciler_watch_list
WHERE NOT EXISTS (
    SELECT 1
    FROM operation_runs AS run
    WHERE run.id = reconciler_watch_list.operation_run_id
      AND run.status IN ('queued', 'running')
      AND run.workspace_id = reconciler_watch_list.workspace_id
      AND coalesce(run.managed_environment_id = reconciler_watch_list.managed_environment_id, true)
      AND coalesce(run.created_at = reconciler_watch_list.run_created_at, true)
);
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
