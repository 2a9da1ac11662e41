-- plant_backup_sets: adds rows to the stand-in's backup_sets.
INSERT INTO backup_sets (
    id, workspace_id, managed_environment_id, name, status
)
SELECT
    value ->> '$.id',
    value ->> '$.workspace_id',
    value ->> '$.managed_environment_id',
    'Nightly backup',
    'completed'
FROM json_each(?1)
