-- count_runs: open runs, those of them that are due and since when, verdicts on record, and runs that say
-- something else than theirs, verdicts of other runs that had the same ids, and
-- successes of others that are not proven. Due is what load_due_workspaces says it is.
WITH moment AS (
    SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000 AS now
), open AS MATERIALIZED (
    SELECT run.id, CASE WHEN typeof(run.created_at) = 'integer' THEN run.created_at END AS created_at
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute' AND run.status IN ('queued', 'running')
), due AS (
    SELECT CASE
        WHEN watch.look_again_at IS NULL THEN coalesce(attempt.try_again_at, open.created_at)
        ELSE max(watch.look_again_at, coalesce(attempt.try_again_at, watch.look_again_at))
    END AS since
    FROM open
    CROSS JOIN moment
    LEFT JOIN reconciler_watch_list AS watch ON watch.operation_run_id = open.id
    LEFT JOIN reconciler_attempts AS attempt ON attempt.operation_run_id = open.id
    WHERE coalesce(watch.look_again_at, 0) <= moment.now
      AND attempt.dead_at IS NULL
      AND coalesce(attempt.try_again_at, 0) <= moment.now
), latest AS (
    SELECT operation_run_id, workspace_id, managed_environment_id, run_created_at, outcome
    FROM reconciler_verdicts
    -- Another platform's ids may be higher than any that is there.
    WHERE operation_run_id <= (SELECT max(id) FROM operation_runs)
    ORDER BY operation_run_id DESC
    LIMIT ?1
), compared AS (
    SELECT
        run.status IS NOT 'completed' OR run.outcome IS NOT latest.outcome AS differs,
        run.workspace_id IS NOT latest.workspace_id
            OR run.managed_environment_id IS NOT latest.managed_environment_id
            OR CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END IS NOT latest.run_created_at
            AS is_foreign
    FROM latest JOIN operation_runs AS run ON run.id = latest.operation_run_id
)
SELECT
    (SELECT now FROM moment) AS as_of,
    (SELECT count(*) FROM open) AS open_runs,
    (SELECT count(*) FROM due) AS due_runs,
    (SELECT min(since) FROM due) AS due_since,
    (SELECT count(*) FROM reconciler_ledger) AS ledger_rows,
    (SELECT count(*) FROM compared WHERE differs AND NOT is_foreign) AS disagreements,
    (SELECT count(*) FROM compared WHERE is_foreign) AS foreign_rows,
    (
        SELECT count(*)
        FROM reconciler_current_opinions AS opinion
        WHERE opinion.is_unproven_success
          AND EXISTS (
              SELECT 1
              FROM operation_runs AS run
              WHERE run.id = opinion.operation_run_id
                AND run.workspace_id = opinion.workspace_id
                AND run.managed_environment_id IS opinion.managed_environment_id
                AND (
                    opinion.run_created_at = run.created_at
                    OR (
                        opinion.run_created_at IS NULL
                        AND (run.created_at >= 0 AND run.created_at < 253402300800000000) IS NOT TRUE
                    )
                )
                AND run.status = 'completed'
                AND run.outcome = opinion.claimed
                AND NOT EXISTS (
                    SELECT 1
                    FROM reconciler_ledger AS entry
                    WHERE entry.operation_run_id = run.id
                      AND entry.workspace_id = run.workspace_id
                      AND entry.managed_environment_id IS run.managed_environment_id
                      AND (
                          entry.run_created_at = opinion.run_created_at
                          OR (entry.run_created_at IS NULL AND opinion.run_created_at IS NULL)
                      )
                )
          )
    ) AS unproven_successes
