-- load_audits: the latest terminal audit entries about each restore, in its run's own scope.
-- The table may be large, without an index on resource_id and without statistics: the array is
-- looked up by hash, or in the index if there is one, before anything is joined to what it leaves.
WITH found AS MATERIALIZED (
    SELECT
        audit.id,
        audit.workspace_id,
        audit.managed_environment_id,
        audit.resource_id::text AS resource_id,
        audit.action::text AS action,
        audit.status::text AS status,
        audit.outcome::text AS outcome,
        audit.recorded_at
    FROM audit_logs AS audit
    WHERE audit.resource_type::text = ANY ($6::text[])
      AND audit.resource_id = ANY ($1::bigint[]::text[])
      AND audit.action::text = ANY ($4::text[])
)
SELECT
    entry.restore_id,
    entry.id,
    entry.action,
    entry.status,
    entry.outcome,
    entry.recorded_at
FROM (
    SELECT
        ask.restore_id,
        audit.id,
        audit.action,
        audit.status,
        audit.outcome,
        audit.recorded_at,
        -- A moment that cannot be read counts as later than every other, so it is never cut off.
        row_number() OVER (
            PARTITION BY ask.restore_id
            ORDER BY
                (audit.recorded_at >= '1970-01-01' AND audit.recorded_at < '10000-01-01')
                    IS NOT TRUE DESC,
                audit.recorded_at DESC,
                audit.id DESC
        ) AS place
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
        AS ask (restore_id, workspace_id, environment_id)
    JOIN found AS audit
      ON audit.resource_id = ask.restore_id::text
     AND audit.workspace_id = ask.workspace_id
     AND audit.managed_environment_id = ask.environment_id
) AS entry
WHERE entry.place <= $5
