-- refuse_audit: lets the stand-in refuse the audit entry about the verdict of run 1000.
CREATE TRIGGER demonstration_refuses_one_audit BEFORE INSERT ON audit_logs
WHEN NEW.resource_type = 'operation_run' AND NEW.resource_id = '1000'
BEGIN
    SELECT RAISE(ABORT, 'the demonstration refuses the audit entry about this run');
END;
