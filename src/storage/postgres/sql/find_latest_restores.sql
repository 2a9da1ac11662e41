-- find_latest_restores: of each environment, the restore that was executed last. It ended, or started where no end is
-- noted, or was created where neither is; what lies beyond $3 or at the beginning of time is no moment.
-- Each part says as its index does when that was, so that one row is read of each environment.
SELECT DISTINCT ON (ask.environment_id)
    latest.restore_id, ask.workspace_id, ask.environment_id, latest.points_at
FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
CROSS JOIN LATERAL (
    (
        SELECT
            restore.id AS restore_id, restore.operation_run_id AS points_at,
            CASE WHEN restore.started_at > '1970-01-01' AND restore.started_at <= $3::timestamptz
                THEN restore.started_at END AS started,
            coalesce(greatest(restore.completed_at, restore.started_at), restore.created_at) AS moment
        FROM restore_runs AS restore
        WHERE restore.managed_environment_id = ask.environment_id
          AND restore.workspace_id = ask.workspace_id
          AND restore.deleted_at IS NULL
          AND restore.is_dry_run = false
          AND coalesce(restore.status::text, '')
              NOT IN ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
          AND coalesce(greatest(restore.completed_at, restore.started_at), restore.created_at) > '1970-01-01'
          AND coalesce(greatest(restore.completed_at, restore.started_at), restore.created_at) <= $3::timestamptz
        ORDER BY moment DESC, started DESC NULLS LAST, restore.id DESC
        LIMIT 1
    )
    UNION ALL
    (
        SELECT restore.id, restore.operation_run_id, started.at, sane.moment
        FROM restore_runs AS restore
        CROSS JOIN LATERAL (
            SELECT CASE WHEN restore.started_at > '1970-01-01' AND restore.started_at <= $3::timestamptz
                THEN restore.started_at END AS at
        ) AS started
        CROSS JOIN LATERAL (
            SELECT coalesce(
                CASE WHEN restore.completed_at > '1970-01-01' AND restore.completed_at <= $3::timestamptz
                    THEN restore.completed_at END,
                started.at,
                CASE WHEN restore.created_at > '1970-01-01' AND restore.created_at <= $3::timestamptz
                    THEN restore.created_at END
            ) AS moment
        ) AS sane
        WHERE restore.managed_environment_id = ask.environment_id
          AND restore.workspace_id = ask.workspace_id
          AND restore.deleted_at IS NULL
          AND restore.is_dry_run = false
          AND coalesce(restore.status::text, '')
              NOT IN ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
          AND (
              coalesce(greatest(restore.completed_at, restore.started_at), restore.created_at) IS NULL
              OR coalesce(greatest(restore.completed_at, restore.started_at), restore.created_at) <= '1970-01-01'
              OR coalesce(greatest(restore.completed_at, restore.started_at), restore.created_at) > $3::timestamptz
          )
        ORDER BY sane.moment DESC NULLS LAST, started.at DESC NULLS LAST, restore.id DESC
        LIMIT 1
    )
) AS latest
ORDER BY
    ask.environment_id, latest.moment DESC NULLS LAST, latest.started DESC NULLS LAST, latest.restore_id DESC
