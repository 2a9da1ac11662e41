-- load_snapshots: per run and status, the evidence snapshot with the highest id, in the run's scope.
WITH ask AS MATERIALIZED (
    SELECT
        value ->> '$.run' AS run_id,
        value ->> '$.workspace' AS workspace_id,
        value ->> '$.environment' AS environment_id
    FROM json_each(?1)
)
SELECT
    latest.run_id,
    latest.id,
    latest.status,
    latest.completeness,
    latest.generated_at,
    latest.expires_at,
    latest.updated_at
FROM (
    SELECT
        ask.run_id,
        snapshot.id,
        CAST(coalesce(snapshot.status, '') AS TEXT) AS status,
        CAST(snapshot.completeness_state AS TEXT) AS completeness,
        snapshot.generated_at,
        snapshot.expires_at,
        snapshot.updated_at,
        row_number() OVER (
            PARTITION BY ask.run_id, snapshot.status ORDER BY snapshot.id DESC
        ) AS place
    -- What was asked about is found by index, or in one walk where there is none; asks are indexed for
    -- the join. CROSS JOIN fixes that order, and a plus takes away a column's affinity, which the asks
    -- do not have, and its temptation to walk whole environments.
    FROM evidence_snapshots AS snapshot
    CROSS JOIN ask
      ON +snapshot.operation_run_id = ask.run_id
     AND +snapshot.workspace_id = ask.workspace_id
     AND +snapshot.managed_environment_id = ask.environment_id
    WHERE snapshot.operation_run_id IN (SELECT run_id FROM ask)
) AS latest
WHERE latest.place = 1
