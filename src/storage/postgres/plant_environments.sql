-- plant_environments: adds rows to the stand-in's managed_environments.
INSERT INTO managed_environments (
    id, workspace_id, name
)
SELECT
    id, workspace_id, name
FROM json_to_recordset($1::json) AS planted (
    id bigint, workspace_id bigint, name text
)
