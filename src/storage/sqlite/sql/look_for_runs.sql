-- look_for_runs: the highest of a viewer's runs below ?3, or the lowest above it where ?14 says so, open ones alone where
-- ?10 says so, only those of ?11 where it is given, at most ?4 of them, and which of these are wanted. Open runs of
-- environments that were deleted or moved are among them where ?12 says so, and are alone where ?13 does.
WITH own AS NOT MATERIALIZED (
    SELECT run.id, run.workspace_id, run.managed_environment_id, CAST(coalesce(run.outcome, '') AS TEXT) AS outcome, run.created_at
    FROM operation_runs AS run
    WHERE +run.type = 'restore.execute'
      -- Nothing but the order of ids is to choose the way.
      AND (?1 IS NULL OR +run.workspace_id IN (SELECT value FROM json_each(?1)))
      AND (?2 IS NULL OR +run.managed_environment_id = ?2)
      AND (NOT ?10 OR run.status IN ('queued', 'running'))
      AND (?11 IS NULL OR run.id IN (SELECT value FROM json_each(?11)))
      AND (
          run.managed_environment_id IS NULL
          OR EXISTS (
              SELECT 1
              FROM managed_environments AS environment
              WHERE environment.id = run.managed_environment_id
                AND environment.workspace_id = run.workspace_id
                AND environment.deleted_at IS NULL
          )
          OR (?12 AND run.status IN ('queued', 'running'))
      )
      AND (
          NOT ?13
          OR (
              run.managed_environment_id IS NOT NULL
              AND NOT EXISTS (
                  SELECT 1
                  FROM managed_environments AS environment
                  WHERE environment.id = run.managed_environment_id
                    AND environment.workspace_id = run.workspace_id
                    AND environment.deleted_at IS NULL
              )
          )
      )
), looked AS MATERIALIZED (
    SELECT * FROM (
        SELECT * FROM own WHERE NOT ?14 AND own.id < coalesce(?3, 9223372036854775807) ORDER BY own.id DESC LIMIT ?4
    )
    UNION ALL
    SELECT * FROM (SELECT * FROM own WHERE ?14 AND own.id > coalesce(?3, 0) ORDER BY own.id LIMIT ?4)
)
SELECT
    looked.id,
    coalesce(
        (
            ?5 IS NULL
            OR looked.outcome = ?5
            OR (?5 = 'unknown' AND looked.outcome NOT IN (SELECT value FROM json_each(?9)))
        )
        AND (
            ?6 IS NULL
            OR EXISTS (
                SELECT 1
                FROM reconciler_verdicts AS entry
                WHERE entry.operation_run_id = looked.id
                  AND +entry.workspace_id = looked.workspace_id
                  AND entry.managed_environment_id IS looked.managed_environment_id
                  AND entry.run_created_at
                      IS CASE WHEN looked.created_at BETWEEN 0 AND 253402300799999999 THEN looked.created_at END
                  AND entry.reason_code = ?6
            )
            OR EXISTS (
                SELECT 1
                FROM reconciler_watch_list AS watch
                WHERE watch.operation_run_id = looked.id
                  AND watch.workspace_id = looked.workspace_id
                  AND watch.managed_environment_id IS looked.managed_environment_id
                  AND (watch.run_created_at = looked.created_at) IS NOT FALSE
                  AND watch.reason_code = ?6
            )
            OR EXISTS (
                SELECT 1
                FROM reconciler_current_opinions AS opinion
                WHERE opinion.operation_run_id = looked.id
                  AND +opinion.workspace_id = looked.workspace_id
                  AND opinion.managed_environment_id IS looked.managed_environment_id
                  AND opinion.run_created_at
                      IS CASE WHEN looked.created_at BETWEEN 0 AND 253402300799999999 THEN looked.created_at END
                  AND opinion.claimed = looked.outcome
                  AND opinion.reason_code = ?6
            )
        )
        AND (?7 IS NULL OR (typeof(looked.created_at) = 'integer' AND looked.created_at >= max(?7, 0)))
        AND (?8 IS NULL OR (typeof(looked.created_at) = 'integer' AND looked.created_at BETWEEN 0 AND ?8 - 1)),
        0
    ) AS is_wanted
FROM looked
ORDER BY CASE WHEN ?14 THEN looked.id ELSE -looked.id END
