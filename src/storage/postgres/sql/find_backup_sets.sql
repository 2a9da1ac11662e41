-- find_backup_sets: of each environment, the live backup set that finished last, however it ended. One whose end is not
-- noted, or lies beyond $3, finished right after those with lower ids.
SELECT DISTINCT ON (placed.owner)
    placed.owner, placed.id, placed.name, placed.status, placed.completed_at, false AS is_deleted
FROM (
    SELECT
        ask.environment_id AS owner,
        source.id,
        left(coalesce(source.name, ''), 256)::text AS name,
        source.status::text AS status,
        source.completed_at,
        max(
            CASE WHEN source.completed_at > '1970-01-01' AND source.completed_at <= $3::timestamptz
                THEN source.completed_at END
        ) OVER (
            PARTITION BY ask.environment_id
            ORDER BY source.id
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS finished_by,
        source.completed_at > '1970-01-01' AND source.completed_at <= $3::timestamptz AS is_noted
    FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
    JOIN backup_sets AS source
      ON source.workspace_id = ask.workspace_id
     AND source.managed_environment_id = ask.environment_id
     AND source.status::text IN ('completed', 'partial', 'failed')
     AND source.deleted_at IS NULL
    -- Says nothing new, and keeps the join small whatever the planner believes about the table.
    WHERE source.managed_environment_id = ANY ($2::bigint[])
) AS placed
ORDER BY
    placed.owner,
    CASE WHEN placed.is_noted THEN placed.completed_at ELSE placed.finished_by END DESC NULLS LAST,
    placed.id DESC
