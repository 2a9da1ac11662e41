-- load_snapshots: per run and status, the evidence snapshot with the highest id, in the run's scope.
SELECT
    latest.run_id,
    latest.id,
    latest.status,
    latest.completeness,
    CASE WHEN typeof(latest.generated_at) = 'integer' THEN latest.generated_at END AS generated_at,
    latest.generated_at IS NOT NULL AS has_generated_at,
    CASE WHEN typeof(latest.expires_at) = 'integer' THEN latest.expires_at END AS expires_at,
    latest.expires_at IS NOT NULL AS has_expires_at
FROM (
    SELECT
        ask.value ->> '$.run' AS run_id,
        snapshot.id,
        CAST(coalesce(snapshot.status, '') AS TEXT) AS status,
        CAST(snapshot.completeness_state AS TEXT) AS completeness,
        snapshot.generated_at,
        snapshot.expires_at,
        row_number() OVER (
            PARTITION BY ask.value ->> '$.run', snapshot.status ORDER BY snapshot.id DESC
        ) AS place
    FROM json_each(?1) AS ask
    JOIN evidence_snapshots AS snapshot
      ON snapshot.operation_run_id = ask.value ->> '$.run'
     AND snapshot.workspace_id = ask.value ->> '$.workspace'
     AND snapshot.managed_environment_id = ask.value ->> '$.environment'
) AS latest
WHERE latest.place = 1
