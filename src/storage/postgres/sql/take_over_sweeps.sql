-- take_over_sweeps: takes what dead passes had in hand, and marks the runs that are still open as suspects.
-- A pass is dead whose own tick and shard are worked on again, or that was silent for too long. Whoever comes
-- second, while this is not yet committed, skips what is locked.
-- For IS TRUE see lock_open_runs.
WITH dead AS MATERIALIZED (
    SELECT sweep.id, sweep.in_hand
    FROM reconciler.sweeps AS sweep
    WHERE sweep.in_hand <> '{}'
      AND sweep.ended_at IS NULL
      AND (
          (sweep.tick_at = $1 AND sweep.shard = $2)
          OR sweep.beat_at < statement_timestamp() - $3::bigint * interval '1 microsecond'
      )
    FOR UPDATE SKIP LOCKED
),
emptied AS (
    UPDATE reconciler.sweeps AS sweep
    SET in_hand = '{}'
    FROM dead
    WHERE sweep.id = dead.id
),
suspects AS (
    SELECT
        run.id,
        run.workspace_id,
        run.managed_environment_id,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END AS created_at
    FROM operation_runs AS run
    WHERE run.id = ANY (SELECT unnest(dead.in_hand) FROM dead)
      AND run.type = 'restore.execute'
      AND (run.status IN ('queued', 'running')) IS TRUE
),
marked AS (
    INSERT INTO reconciler.attempts AS other (
        operation_run_id, workspace_id, managed_environment_id, worker, first_seen_at, try_again_at, run_created_at
    )
    SELECT id, workspace_id, managed_environment_id, $4, statement_timestamp(), statement_timestamp(), created_at
    FROM suspects
    ORDER BY id
    ON CONFLICT (operation_run_id) DO UPDATE
    SET workspace_id = excluded.workspace_id, managed_environment_id = excluded.managed_environment_id,
        run_created_at = excluded.run_created_at, tries = 0, worker = excluded.worker,
        first_seen_at = excluded.first_seen_at, last_tried_at = NULL, try_again_at = excluded.try_again_at, dead_at = NULL,
        dropped_at = NULL
    -- Left by another run with this id.
    WHERE other.workspace_id <> excluded.workspace_id
        OR other.managed_environment_id <> excluded.managed_environment_id
        OR other.run_created_at <> excluded.run_created_at
)
SELECT id FROM suspects ORDER BY id
