-- watch_restores: asks for a restore's run once the restore has ended.
CREATE OR REPLACE TRIGGER restore_reconciler_request AFTER INSERT OR UPDATE ON restore_runs
FOR EACH ROW EXECUTE FUNCTION reconciler.row_changed(
    'restore', 'completed', 'partial', 'failed', 'cancelled', 'aborted', 'completed_with_errors'
)
