-- correct_queue: removes the function that old migrations of the library create beside the extensions, and newer ones look
-- for in schema public alone; and finds the jobs in hand, which each sign of life asks for, without all that are finished.
DO $$
DECLARE
    stray regprocedure := to_regprocedure(quote_ident(current_schema()) || '.generate_ulid()');
BEGIN
    IF stray IS NOT NULL
        AND to_regprocedure('apalis.generate_ulid()') IS NOT NULL
        AND (SELECT proowner FROM pg_proc WHERE oid = stray) = current_user::regrole
    THEN
        EXECUTE 'DROP FUNCTION ' || stray;
    END IF;
    IF (SELECT relowner FROM pg_class WHERE oid = to_regclass('apalis.jobs')) = current_user::regrole THEN
        CREATE INDEX IF NOT EXISTS reconciler_in_hand ON apalis.jobs (lock_by) WHERE status IN ('Running', 'Queued');
    END IF;
END
$$
