-- plant_restores: adds rows to the stand-in's restore_runs.
INSERT INTO restore_runs (
    id, workspace_id, managed_environment_id, backup_set_id, operation_run_id, requested_by,
    is_dry_run, status, requested_items, group_mapping, preview, results, metadata,
    failure_reason, started_at, completed_at, deleted_at, created_at
)
SELECT
    id, workspace_id, managed_environment_id, backup_set_id, operation_run_id, requested_by,
    is_dry_run, status, requested_items::json, group_mapping::json, preview::json, results::json,
    metadata::json, failure_reason, started_at::timestamptz, completed_at::timestamptz,
    deleted_at::timestamptz, created_at::timestamptz
FROM json_to_recordset($1::json) AS planted (
    id bigint, workspace_id bigint, managed_environment_id bigint, backup_set_id bigint,
    operation_run_id bigint, requested_by text, is_dry_run boolean, status text,
    requested_items text, group_mapping text, preview text, results text, metadata text,
    failure_reason text, started_at text, completed_at text, deleted_at text, created_at text
)
