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
    -- Making it keeps everybody from asking for runs, so only where it is missing, and not for ever.
    IF to_regclass('apalis.reconciler_in_hand') IS NULL
        AND (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('apalis.jobs'))
    THEN
        PERFORM set_config('lock_timeout', '5s', true);
        CREATE INDEX reconciler_in_hand ON apalis.jobs (lock_by) WHERE status IN ('Running', 'Queued');
    END IF;
END
$$
