-- drop_stray: removes the function that old migrations of the library create beside the extensions, and newer ones look
-- for in schema public alone.
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
END
$$
