-- load_audits: the latest terminal audit entries about each restore, in its run's own scope.
SELECT
    entry.restore_id,
    entry.id,
    entry.action,
    entry.status,
    entry.outcome,
    CASE WHEN entry.recorded_at >= '1970-01-01' AND entry.recorded_at < '10000-01-01'
        THEN (extract(epoch FROM entry.recorded_at) * 1000000)::bigint END AS recorded_at,
    entry.recorded_at IS NOT NULL AS has_recorded_at
FROM (
    SELECT
        ask.restore_id,
        audit.id,
        audit.action::text AS action,
        audit.status::text AS status,
        audit.outcome::text AS outcome,
        audit.recorded_at,
        row_number() OVER (
            PARTITION BY ask.restore_id ORDER BY audit.recorded_at DESC NULLS FIRST, audit.id DESC
        ) AS place
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
        AS ask (restore_id, workspace_id, environment_id)
    JOIN audit_logs AS audit
      ON audit.resource_type = 'restore_run'
     AND audit.resource_id = ask.restore_id::text
     AND audit.workspace_id = ask.workspace_id
     AND audit.managed_environment_id = ask.environment_id
     AND audit.action = ANY ($4::text[])
) AS entry
WHERE entry.place <= $5
