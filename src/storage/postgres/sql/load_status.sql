-- load_status: a viewer's open runs, at most $2, and of the latest verdicts, at most $3 of each workspace or of all, how many
-- there are and how many of these their runs contradict.
WITH latest AS MATERIALIZED (
    (
        SELECT entry.operation_run_id, entry.workspace_id, entry.managed_environment_id, entry.run_created_at, entry.outcome
        FROM reconciler.verdicts AS entry
        WHERE $1::bigint[] IS NULL
          -- Another platform's ids may be higher than any that is there.
          AND entry.operation_run_id <= (SELECT max(id) FROM operation_runs)
        ORDER BY entry.operation_run_id DESC
        LIMIT $3
    )
    UNION ALL
    SELECT own.*
    FROM unnest($1::bigint[]) AS asked (workspace_id)
    CROSS JOIN LATERAL (
        SELECT entry.operation_run_id, entry.workspace_id, entry.managed_environment_id, entry.run_created_at, entry.outcome
        FROM reconciler.verdicts AS entry
        WHERE entry.workspace_id = asked.workspace_id
        ORDER BY entry.decided_at DESC
        LIMIT $3
    ) AS own
), compared AS (
    SELECT run.status IS DISTINCT FROM 'completed' OR run.outcome IS DISTINCT FROM latest.outcome AS differs
    FROM latest
    -- OFFSET has each run looked up by its id.
    CROSS JOIN LATERAL (
        SELECT status::text AS status, outcome::text AS outcome, workspace_id, managed_environment_id, created_at
        FROM operation_runs
        WHERE id = latest.operation_run_id
        OFFSET 0
    ) AS run
    -- Not those of another platform's runs that had the same ids.
    WHERE (
        run.workspace_id,
        run.managed_environment_id,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END
    ) IS NOT DISTINCT FROM (latest.workspace_id, latest.managed_environment_id, latest.run_created_at)
      AND (
          $1::bigint[] IS NULL
          OR run.managed_environment_id IS NULL
          OR EXISTS (
              SELECT
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
            SELECT
            FROM operation_runs AS run
            WHERE run.type = 'restore.execute'
              AND run.status IN ('queued', 'running')
              -- As in load_due_workspaces.
              AND (run.managed_environment_id IS NULL OR run.managed_environment_id IS NOT NULL)
              AND ($1::bigint[] IS NULL OR run.workspace_id = ANY ($1))
              AND (
                  $1::bigint[] IS NULL
                  OR run.managed_environment_id IS NULL
                  OR EXISTS (
                      SELECT
                      FROM managed_environments AS live
                      WHERE live.id = run.managed_environment_id
                        AND live.workspace_id = run.workspace_id
                        AND live.deleted_at IS NULL
                  )
              )
            LIMIT $2
        ) AS open
    ) AS open_runs,
    (SELECT count(*) FROM compared) AS compared,
    (SELECT count(*) FROM compared WHERE differs) AS contradicted
