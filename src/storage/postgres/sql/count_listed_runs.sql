-- count_listed_runs: of the highest of a viewer's runs, $2 at most, how many have which outcome; how many are open, $3 at
-- most, and how many of these were created before $4.
WITH looked AS MATERIALIZED (
    SELECT run.outcome::text AS outcome
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND ($1::bigint[] IS NULL OR run.workspace_id = ANY ($1))
      AND (
          run.managed_environment_id IS NULL
          OR (run.managed_environment_id, run.workspace_id) IN (
              SELECT environment.id, environment.workspace_id
              FROM managed_environments AS environment
              WHERE environment.deleted_at IS NULL
          )
          OR ($1::bigint[] IS NULL AND run.status IN ('queued', 'running'))
      )
    ORDER BY run.id DESC
    LIMIT $2
), open AS MATERIALIZED (
    SELECT run.created_at
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      -- As in load_due_workspaces.
      AND (run.managed_environment_id IS NULL OR run.managed_environment_id IS NOT NULL)
      -- IS TRUE leaves the choice of the index to the other conditions.
      AND ($1::bigint[] IS NULL OR run.workspace_id = ANY ($1)) IS TRUE
      AND (
          $1::bigint[] IS NULL
          OR run.managed_environment_id IS NULL
          OR (run.managed_environment_id, run.workspace_id) IN (
              SELECT environment.id, environment.workspace_id
              FROM managed_environments AS environment
              WHERE environment.deleted_at IS NULL
          )
      )
    LIMIT $3
)
SELECT
    looked.*,
    (SELECT count(*) FROM open) AS undecided,
    (SELECT count(*) FROM open WHERE open.created_at < $4::timestamptz) AS too_long
FROM (
    SELECT
        count(*) AS runs,
        count(*) FILTER (WHERE outcome = 'failed') AS failed,
        count(*) FILTER (WHERE outcome = 'blocked') AS blocked,
        count(*) FILTER (WHERE outcome = 'partially_succeeded') AS partially_succeeded,
        count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded
    FROM looked
) AS looked
