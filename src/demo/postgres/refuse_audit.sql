-- refuse_audit: lets the stand-in refuse the audit entry about the verdict of run 1000.
CREATE FUNCTION demonstration_refuses_one_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the demonstration refuses the audit entry about this run';
END
$$;

CREATE TRIGGER demonstration_refuses_one_audit BEFORE INSERT ON audit_logs
    FOR EACH ROW WHEN (NEW.resource_type = 'operation_run' AND NEW.resource_id = '1000')
    EXECUTE FUNCTION demonstration_refuses_one_audit();
