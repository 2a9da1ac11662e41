-- find_backup_sets: of each environment, the live completed backup set with the highest id.
SELECT
    latest.owner,
    latest.id,
    CAST(substr(coalesce(latest.name, ''), 1, 256) AS TEXT) AS name,
    CAST(coalesce(latest.status, '') AS TEXT) AS status,
    latest.completed_at,
    0 AS is_deleted
FROM (
    SELECT
        source.managed_environment_id AS owner, source.id, source.name, source.status, source.completed_at,
        row_number() OVER (PARTITION BY source.managed_environment_id ORDER BY source.id DESC) AS place
    FROM json_each(?1) AS ask
    JOIN backup_sets AS source
      ON source.workspace_id = ask.value ->> '$.workspace'
     AND source.managed_environment_id = ask.value ->> '$.environment'
     AND source.status = 'completed'
     AND source.deleted_at IS NULL
) AS latest
WHERE latest.place = 1
