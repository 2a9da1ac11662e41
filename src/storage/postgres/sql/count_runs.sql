-- count_runs: open runs, those of them that are due and since when, verdicts on record, and runs that say
-- something else than theirs, verdicts of other runs that had the same ids, and
-- successes of others that are not proven. Due is what load_due_workspaces says it is.
WITH open AS MATERIALIZED (
    SELECT
        run.id,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END AS created_at
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      -- As in load_due_workspaces.
      AND (run.managed_environment_id IS NULL OR run.managed_environment_id IS NOT NULL)
), due AS (
    SELECT coalesce(greatest(watch.look_again_at, attempt.try_again_at), open.created_at) AS since
    FROM open
    LEFT JOIN reconciler.watch_list AS watch ON watch.operation_run_id = open.id
    LEFT JOIN reconciler.attempts AS attempt ON attempt.operation_run_id = open.id
    WHERE (watch.look_again_at <= statement_timestamp()) IS NOT FALSE
      AND attempt.dead_at IS NULL
      AND (attempt.try_again_at <= statement_timestamp()) IS NOT FALSE
), latest AS (
    SELECT operation_run_id, workspace_id, managed_environment_id, run_created_at, outcome
    FROM reconciler.verdicts
    -- Another platform's ids may be higher than any that is there.
    WHERE operation_run_id <= (SELECT max(id) FROM operation_runs)
    ORDER BY operation_run_id DESC
    LIMIT $1
), compared AS (
    SELECT
        run.status IS DISTINCT FROM 'completed' OR run.outcome IS DISTINCT FROM latest.outcome AS differs,
        (latest.workspace_id, latest.managed_environment_id, latest.run_created_at) IS DISTINCT FROM (
            run.workspace_id,
            run.managed_environment_id,
            CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END
        ) AS is_foreign
    FROM latest
    -- OFFSET has each run looked up by its id: a planner that joins reads all that ever ran.
    CROSS JOIN LATERAL (
        SELECT status::text AS status, outcome::text AS outcome, workspace_id, managed_environment_id, created_at
        FROM operation_runs
        WHERE id = latest.operation_run_id
        OFFSET 0
    ) AS run
)
SELECT
    statement_timestamp() AS as_of,
    (SELECT count(*) FROM open) AS open_runs,
    (SELECT count(*) FROM due) AS due_runs,
    (SELECT min(since) FROM due) AS due_since,
    (SELECT count(*) FROM reconciler.ledger) AS ledger_rows,
    (SELECT count(*) FROM compared WHERE differs AND NOT is_foreign) AS disagreements,
    (SELECT count(*) FROM compared WHERE is_foreign) AS foreign_rows,
    (
        SELECT count(*)
        FROM reconciler.current_opinions AS opinion
        WHERE opinion.is_unproven_success
          AND EXISTS (
              SELECT
              FROM operation_runs AS run
              WHERE run.id = opinion.operation_run_id
                AND run.workspace_id = opinion.workspace_id
                AND run.managed_environment_id IS NOT DISTINCT FROM opinion.managed_environment_id
                AND (
                    opinion.run_created_at = run.created_at
                    OR (
                        opinion.run_created_at IS NULL
                        AND (run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01') IS NOT TRUE
                    )
                )
                AND run.status = 'completed'
                AND run.outcome::text = opinion.claimed
                AND NOT EXISTS (
                    SELECT
                    FROM reconciler.ledger AS entry
                    WHERE entry.operation_run_id = run.id
                      AND entry.workspace_id = run.workspace_id
                      AND entry.managed_environment_id IS NOT DISTINCT FROM run.managed_environment_id
                      AND (
                          entry.run_created_at = opinion.run_created_at
                          OR (entry.run_created_at IS NULL AND opinion.run_created_at IS NULL)
                      )
                )
              -- Has each run looked up by its id.
              OFFSET 0
          )
    ) AS unproven_successes
