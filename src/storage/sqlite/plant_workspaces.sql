-- plant_workspaces: adds rows to the stand-in's workspaces.
INSERT INTO workspaces (
    id, name
)
SELECT
    value ->> '$.id',
    value ->> '$.name'
FROM json_each(?1)
