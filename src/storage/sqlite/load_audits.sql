-- load_audits: the latest terminal audit entries about each restore, in its run's own scope.
SELECT
    entry.restore_id,
    entry.id,
    entry.action,
    entry.status,
    entry.outcome,
    CASE WHEN typeof(entry.recorded_at) = 'integer' THEN entry.recorded_at END AS recorded_at,
    entry.recorded_at IS NOT NULL AS has_recorded_at
FROM (
    SELECT
        ask.value ->> '$.restore' AS restore_id,
        audit.id,
        audit.action,
        CAST(audit.status AS TEXT) AS status,
        CAST(audit.outcome AS TEXT) AS outcome,
        audit.recorded_at,
        -- A moment that is no integer sorts above every integer, so it is never cut off.
        row_number() OVER (
            PARTITION BY ask.value ->> '$.restore'
            ORDER BY audit.recorded_at DESC NULLS FIRST, audit.id DESC
        ) AS place
    FROM json_each(?1) AS ask
    JOIN audit_logs AS audit
      ON audit.resource_type = 'restore_run'
     AND audit.resource_id = CAST(ask.value ->> '$.restore' AS TEXT)
     AND audit.workspace_id = ask.value ->> '$.workspace'
     AND audit.managed_environment_id = ask.value ->> '$.environment'
     AND audit.action IN (SELECT value FROM json_each(?2))
) AS entry
WHERE entry.place <= ?3
