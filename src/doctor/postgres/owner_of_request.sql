-- owner_of_request: the role with whose rights reconciler.request runs, and whether row security may hide runs from it.
-- No row where the function is not there.
SELECT
    owner.rolname::text AS name,
    quote_ident(owner.rolname) AS quoted,
    EXISTS (
        SELECT
        FROM pg_class AS runs
        WHERE runs.oid = $1::bigint::oid
          AND runs.relrowsecurity
          AND NOT (owner.rolsuper OR owner.rolbypassrls)
          AND (runs.relforcerowsecurity OR NOT pg_has_role(owner.oid, runs.relowner, 'USAGE'))
          -- A policy that shows it all of them, as `doctor` prints it for workers, and none that takes some away again.
          AND NOT (
              SELECT coalesce(bool_or(is_open AND polpermissive), false) AND coalesce(bool_and(is_open OR polpermissive), true)
              FROM pg_policy
              CROSS JOIN LATERAL (SELECT coalesce(pg_get_expr(polqual, polrelid), 'true') = 'true' AS is_open) AS condition
              WHERE polrelid = runs.oid
                AND polcmd IN ('r', '*')
                AND EXISTS (
                    SELECT FROM unnest(polroles) AS named (role) WHERE role = 0 OR pg_has_role(owner.oid, role, 'USAGE')
                )
          )
    ) AS may_be_blind
FROM pg_proc AS procedure
JOIN pg_namespace AS namespace ON namespace.oid = procedure.pronamespace
JOIN pg_roles AS owner ON owner.oid = procedure.proowner
WHERE namespace.nspname = 'reconciler' AND procedure.proname = 'request'
