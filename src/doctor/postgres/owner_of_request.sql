-- owner_of_request: the role with whose rights reconciler.request runs. No row where it is not there.
SELECT pg_get_userbyid(procedure.proowner)::text
FROM pg_proc AS procedure
JOIN pg_namespace AS namespace ON namespace.oid = procedure.pronamespace
WHERE namespace.nspname = 'reconciler' AND procedure.proname = 'request'
