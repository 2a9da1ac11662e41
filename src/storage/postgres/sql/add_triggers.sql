-- add_triggers: asks for a run once its restore has ended, once a snapshot of it is active, and once the audit log says how
-- its restore ended. The first two call one function: the cause and the statuses that count are their arguments. Columns
-- are looked at there and not in the trigger's own condition: PostgreSQL refuses to change the type of a column that a trigger names,
-- and the platform's migrations must not notice that anybody listens. It runs with the rights of whoever installed it:
-- those who write to the table need none of ours.
CREATE OR REPLACE FUNCTION reconciler.row_changed() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $$
BEGIN
    IF NEW.status::text = ANY (TG_ARGV[1:])
        AND (TG_OP = 'INSERT' OR NEW.status::text IS DISTINCT FROM OLD.status::text)
    THEN
        PERFORM reconciler.request(NEW.operation_run_id::bigint, TG_ARGV[0]);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'a change of % was not passed on: %', TG_TABLE_NAME, SQLERRM
        USING HINT = 'The next sweep will find the run. Run restore-reconciler doctor.';
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION reconciler.row_changed FROM PUBLIC;

CREATE OR REPLACE TRIGGER restore_reconciler_request AFTER INSERT OR UPDATE ON restore_runs
FOR EACH ROW EXECUTE FUNCTION reconciler.row_changed(
    'restore', 'completed', 'partial', 'failed', 'cancelled', 'aborted', 'completed_with_errors'
);

CREATE OR REPLACE TRIGGER restore_reconciler_request AFTER INSERT OR UPDATE ON evidence_snapshots
FOR EACH ROW EXECUTE FUNCTION reconciler.row_changed('evidence', 'active');

CREATE OR REPLACE FUNCTION reconciler.audit_written() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $$
DECLARE
    run bigint;
BEGIN
    IF NEW.action::text = ANY (TG_ARGV)
        AND NEW.resource_type::text IN ('restore_run', 'App\Models\RestoreRun')
        AND NEW.resource_id::text ~ '^[1-9][0-9]{0,17}$'
    THEN
        EXECUTE format('SELECT operation_run_id FROM %I.restore_runs WHERE id = $1', TG_TABLE_SCHEMA)
            INTO run USING NEW.resource_id::text::bigint;
        PERFORM reconciler.request(run, 'audit');
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'an entry of % was not passed on: %', TG_TABLE_NAME, SQLERRM
        USING HINT = 'The next sweep will find the run. Run restore-reconciler doctor.';
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION reconciler.audit_written FROM PUBLIC;

-- Most entries are about other things, and the condition keeps them from the function. It reads an entry as text, because it
-- may name no column: whatever holds the words comes through, and is looked at there.
CREATE OR REPLACE TRIGGER restore_reconciler_request AFTER INSERT ON audit_logs
FOR EACH ROW WHEN (strpos(NEW::text, ',restore.') > 0) EXECUTE FUNCTION reconciler.audit_written(
    'restore.executed', 'restore.completed', 'restore.partial', 'restore.failed', 'restore.cancelled'
);
