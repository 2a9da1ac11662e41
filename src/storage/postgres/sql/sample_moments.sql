-- sample_moments: the moments of the newest evidence snapshots, and of the restores that they are about, if any. $1: how many.
-- The newest by id of either table, so that it costs the same however many there are.
WITH snapshot AS MATERIALIZED (
    SELECT id, workspace_id, managed_environment_id, operation_run_id, generated_at, created_at
    FROM evidence_snapshots
    ORDER BY id DESC
    LIMIT $1
), restore AS MATERIALIZED (
    SELECT id, workspace_id, managed_environment_id, operation_run_id, started_at, completed_at
    FROM restore_runs
    ORDER BY id DESC
    LIMIT $1
)
SELECT DISTINCT ON (snapshot.id)
    snapshot.generated_at,
    snapshot.created_at,
    restore.started_at,
    restore.completed_at
FROM snapshot
LEFT JOIN restore
  ON restore.operation_run_id = snapshot.operation_run_id
 AND restore.workspace_id = snapshot.workspace_id
 AND restore.managed_environment_id = snapshot.managed_environment_id
ORDER BY snapshot.id DESC, restore.id DESC
