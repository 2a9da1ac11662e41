-- plant_backup_items: adds rows to the stand-in's backup_items.
INSERT INTO backup_items (
    backup_set_id, policy_type, payload, assignments, metadata, captured_at, deleted_at
)
SELECT
    backup_set_id, policy_type, payload::json, assignments::json, metadata::json,
    captured_at::timestamptz, deleted_at::timestamptz
FROM json_to_recordset($1::json) AS planted (
    backup_set_id bigint, policy_type text, payload text, assignments text, metadata text,
    captured_at text, deleted_at text
)
