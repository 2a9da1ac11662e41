-- Functions are everybody's who may use their schema, unless that is taken away. From here on each is called by those
-- who were granted it. Whoever was let into the schema by name keeps what he could call until now, so that nothing that
-- works stops with the upgrade.
DO $$
DECLARE
    grantee text;
    called  text;
BEGIN
    FOR grantee IN
        SELECT quote_ident(pg_get_userbyid(entry.grantee))
        FROM pg_namespace AS namespace, aclexplode(namespace.nspacl) AS entry
        WHERE namespace.nspname = 'reconciler'
          AND entry.privilege_type = 'USAGE'
          AND entry.grantee NOT IN (0, namespace.nspowner)
    LOOP
        EXECUTE format(
            'GRANT EXECUTE ON FUNCTION reconciler.request, reconciler.job_id, reconciler.run_of TO %s', grantee
        );
    END LOOP;
    FOR called IN
        SELECT procedure.oid::regprocedure::text
        FROM pg_proc AS procedure
        JOIN pg_namespace AS namespace ON namespace.oid = procedure.pronamespace
        WHERE namespace.nspname = 'reconciler' AND procedure.prokind = 'f'
          -- An extension that somebody put there is not ours.
          AND NOT EXISTS (
              SELECT FROM pg_depend
              WHERE classid = 'pg_proc'::regclass AND objid = procedure.oid AND deptype = 'e'
          )
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', called);
    END LOOP;
END
$$;
