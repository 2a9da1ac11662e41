-- load_status: a viewer's open runs, at most ?2, and of the latest verdicts, at most ?3, how many there are and how many of
-- these their runs contradict.
WITH compared AS (
    SELECT run.status IS NOT 'completed' OR run.outcome IS NOT latest.outcome AS differs
    FROM (
        SELECT operation_run_id, workspace_id, managed_environment_id, run_created_at, outcome
        FROM reconciler_verdicts
        -- Another platform's ids may be higher than any that is there.
        WHERE operation_run_id <= (SELECT max(id) FROM operation_runs)
          AND (?1 IS NULL OR workspace_id IN (SELECT value FROM json_each(?1)))
        ORDER BY operation_run_id DESC
        LIMIT ?3
    ) AS latest
    JOIN operation_runs AS run ON run.id = latest.operation_run_id
    -- Not those of another platform's runs that had the same ids.
    WHERE run.workspace_id = latest.workspace_id
      AND run.managed_environment_id IS latest.managed_environment_id
      AND CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END IS latest.run_created_at
      AND (
          ?1 IS NULL
          OR run.managed_environment_id IS NULL
          OR EXISTS (
              SELECT 1
              FROM managed_environments AS live
              WHERE live.id = run.managed_environment_id
                AND live.workspace_id = run.workspace_id
                AND live.deleted_at IS NULL
          )
      )
)
SELECT
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM operation_runs AS run
            WHERE run.type = 'restore.execute'
              AND run.status IN ('queued', 'running')
              AND (?1 IS NULL OR run.workspace_id IN (SELECT value FROM json_each(?1)))
              AND (
                  ?1 IS NULL
                  OR run.managed_environment_id IS NULL
                  OR EXISTS (
                      SELECT 1
                      FROM managed_environments AS live
                      WHERE live.id = run.managed_environment_id
                        AND live.workspace_id = run.workspace_id
                        AND live.deleted_at IS NULL
                  )
              )
            LIMIT ?2
        )
    ) AS open_runs,
    (SELECT count(*) FROM compared) AS compared,
    (SELECT count(*) FROM compared WHERE differs) AS contradicted
