-- forget_indexes: leaves the indexes that the platform creates.
DROP INDEX IF EXISTS operation_runs_open_restores_index;
DROP INDEX IF EXISTS restore_runs_live_operation_run_id_index;
DROP INDEX IF EXISTS evidence_snapshots_operation_run_id_index;
DROP INDEX IF EXISTS audit_logs_resource_index;
DROP INDEX IF EXISTS backup_items_live_backup_set_id_index;
