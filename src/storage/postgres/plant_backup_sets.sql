-- plant_backup_sets: adds rows to the stand-in's backup_sets.
INSERT INTO backup_sets (
    id, workspace_id, managed_environment_id, name, status, completed_at, metadata, deleted_at
)
SELECT
    id, workspace_id, managed_environment_id, name, status, completed_at::timestamptz,
    metadata::json, deleted_at::timestamptz
FROM json_to_recordset($1::json) AS planted (
    id bigint, workspace_id bigint, managed_environment_id bigint, name text, status text,
    completed_at text, metadata text, deleted_at text
)
