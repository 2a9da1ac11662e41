-- count_listed_runs: of the highest of a viewer's runs, ?2 at most, how many have which outcome; how many are open, ?3 at
-- most, and how many of these were created before ?4.
WITH own AS NOT MATERIALIZED (
    SELECT run.id, run.status, run.outcome, run.created_at
    FROM operation_runs AS run
    WHERE +run.type = 'restore.execute'
      AND (?1 IS NULL OR +run.workspace_id IN (SELECT value FROM json_each(?1)))
      AND (
          run.managed_environment_id IS NULL
          OR EXISTS (
              SELECT 1
              FROM managed_environments AS environment
              WHERE environment.id = run.managed_environment_id
                AND environment.workspace_id = run.workspace_id
                AND environment.deleted_at IS NULL
          )
          OR (?1 IS NULL AND run.status IN ('queued', 'running'))
      )
), looked AS MATERIALIZED (
    SELECT own.outcome FROM own ORDER BY own.id DESC LIMIT ?2
), open AS MATERIALIZED (
    SELECT own.created_at FROM own WHERE own.status IN ('queued', 'running') LIMIT ?3
)
SELECT
    looked.*,
    (SELECT count(*) FROM open) AS undecided,
    (SELECT count(*) FROM open WHERE open.created_at < ?4) AS too_long
FROM (
    SELECT
        count(*) AS runs,
        count(*) FILTER (WHERE outcome = 'failed') AS failed,
        count(*) FILTER (WHERE outcome = 'blocked') AS blocked,
        count(*) FILTER (WHERE outcome = 'partially_succeeded') AS partially_succeeded,
        count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded
    FROM looked
) AS looked
