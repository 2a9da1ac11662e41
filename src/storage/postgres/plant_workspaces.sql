-- plant_workspaces: adds rows to the stand-in's workspaces.
INSERT INTO workspaces (
    id, name
)
SELECT
    id, name
FROM json_to_recordset($1::json) AS planted (
    id bigint, name text
)
