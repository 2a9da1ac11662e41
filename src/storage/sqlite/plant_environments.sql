-- plant_environments: adds rows to the stand-in's managed_environments.
INSERT INTO managed_environments (
    id, workspace_id, name
)
SELECT
    value ->> '$.id',
    value ->> '$.workspace_id',
    value ->> '$.name'
FROM json_each(?1)
