-- forget_closed: takes runs off the watch list, and forgets the attempts at them, that somebody else has closed or
-- deleted, or that were other runs with the same ids. What an entry does not say is taken to agree.
WITH attempts AS (
    DELETE FROM reconciler.attempts AS attempt
    WHERE NOT EXISTS (
        SELECT 1
        FROM operation_runs AS run
        WHERE run.id = attempt.operation_run_id
          AND run.status IN ('queued', 'running')
          AND run.workspace_id = attempt.workspace_id
          AND (run.managed_environment_id = attempt.managed_environment_id) IS NOT FALSE
          AND (run.created_at = attempt.run_created_at) IS NOT FALSE
    )
)
DELETE FROM reconciler.watch_list AS watch
WHERE NOT EXISTS (
    SELECT 1
    FROM operation_runs AS run
    WHERE run.id = watch.operation_run_id
      AND run.status IN ('queued', 'running')
      AND run.workspace_id = watch.workspace_id
      AND (run.managed_environment_id = watch.managed_environment_id) IS NOT FALSE
      AND (run.created_at = watch.run_created_at) IS NOT FALSE
)
