-- advise_indexes: the indexes that `doctor` advises.
CREATE INDEX IF NOT EXISTS operation_runs_open_restores_index
    ON operation_runs (workspace_id, id)
    WHERE type = 'restore.execute' AND status IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS restore_runs_live_operation_run_id_index
    ON restore_runs (operation_run_id, managed_environment_id)
    WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS evidence_snapshots_operation_run_id_index ON evidence_snapshots (operation_run_id, managed_environment_id);
CREATE INDEX IF NOT EXISTS audit_logs_resource_index ON audit_logs (resource_id, resource_type, action);
CREATE INDEX IF NOT EXISTS backup_items_live_backup_set_id_index
    ON backup_items (backup_set_id)
    WHERE deleted_at IS NULL;
