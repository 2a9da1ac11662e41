-- plant_backup_sets: adds rows to the stand-in's backup_sets.
INSERT INTO backup_sets (
    id, workspace_id, managed_environment_id, name, status
)
SELECT
    id, workspace_id, managed_environment_id, 'Nightly backup', 'completed'
FROM json_to_recordset($1::json) AS planted (
    id bigint, workspace_id bigint, managed_environment_id bigint
)
