-- load_audits: the latest terminal audit entries about each restore, in its run's own scope.
WITH ask AS MATERIALIZED (
    SELECT
        value ->> '$.workspace' AS workspace_id,
        value ->> '$.environment' AS environment_id,
        value ->> '$.restore' AS restore_id,
        CAST(value ->> '$.restore' AS TEXT) AS resource_id
    FROM json_each(?1)
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
        CAST(audit.status AS TEXT) AS status,
        CAST(audit.outcome AS TEXT) AS outcome,
        audit.recorded_at,
        -- A moment that cannot be read counts as later than every other, so it is never cut off.
        row_number() OVER (
            PARTITION BY ask.restore_id
            ORDER BY
                (typeof(audit.recorded_at) = 'integer' AND audit.recorded_at >= 0),
                audit.recorded_at DESC,
                audit.id DESC
        ) AS place
    -- What was asked about is found by index, or in one walk where there is none; asks are indexed for
    -- the join. CROSS JOIN fixes that order, and a plus takes away a column's affinity, which the asks
    -- do not have, and its temptation to walk whole environments.
    FROM audit_logs AS audit
    CROSS JOIN ask
      ON +audit.resource_type IN (SELECT value FROM json_each(?4))
     AND +audit.resource_id = ask.resource_id
     AND +audit.workspace_id = ask.workspace_id
     AND +audit.managed_environment_id = ask.environment_id
     AND +audit.action IN (SELECT value FROM json_each(?2))
    WHERE audit.resource_id IN (SELECT resource_id FROM ask)
) AS entry
WHERE entry.place <= ?3
