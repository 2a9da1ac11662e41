-- has_leftovers: whether anything is on the watch list, or remembered of attempts, that is about another run than the open
-- one that has its id now. What an entry does not say is taken to agree.
SELECT EXISTS (
    SELECT 1
    FROM (
        SELECT operation_run_id, workspace_id, managed_environment_id, run_created_at FROM reconciler.watch_list
        UNION ALL
        SELECT operation_run_id, workspace_id, managed_environment_id, run_created_at FROM reconciler.attempts
    ) AS entry
    CROSS JOIN operation_runs AS run -- in this order: each run is looked up by its id
    WHERE run.id = entry.operation_run_id
      AND run.status IN ('queued', 'running')
      AND (
          run.workspace_id <> entry.workspace_id
          OR run.managed_environment_id <> entry.managed_environment_id
          OR run.created_at <> entry.run_created_at
      )
)
