-- watch_evidence: asks for a snapshot's run once the snapshot is active.
CREATE OR REPLACE TRIGGER restore_reconciler_request AFTER INSERT OR UPDATE ON evidence_snapshots
FOR EACH ROW EXECUTE FUNCTION reconciler.row_changed('evidence', 'active')
