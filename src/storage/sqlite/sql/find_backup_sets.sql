-- find_backup_sets: of each environment, the live backup set that finished last, however it ended. One whose end is not
-- noted, or lies beyond ?2, finished right after those with lower ids.
WITH noted AS (
    SELECT
        source.managed_environment_id AS owner, source.id, source.name, source.status, source.completed_at,
        CASE WHEN typeof(source.completed_at) = 'integer' AND source.completed_at BETWEEN 1 AND ?2
            THEN source.completed_at END AS finished_at
    FROM json_each(?1) AS ask
    JOIN backup_sets AS source
      ON source.workspace_id = ask.value ->> '$.workspace'
     AND source.managed_environment_id = ask.value ->> '$.environment'
     AND source.status IN ('completed', 'partial', 'failed')
     AND source.deleted_at IS NULL
), placed AS (
    SELECT
        noted.*,
        max(finished_at) OVER (
            PARTITION BY owner ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS finished_by
    FROM noted
)
SELECT
    latest.owner,
    latest.id,
    CAST(substr(coalesce(latest.name, ''), 1, 256) AS TEXT) AS name,
    CAST(latest.status AS TEXT) AS status,
    latest.completed_at,
    0 AS is_deleted
FROM (
    SELECT
        placed.*,
        row_number() OVER (
            PARTITION BY owner ORDER BY coalesce(finished_at, finished_by) DESC NULLS LAST, id DESC
        ) AS place
    FROM placed
) AS latest
WHERE latest.place = 1
