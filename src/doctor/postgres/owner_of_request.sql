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
          -- A policy that shows it all of them, as `doctor` prints it for workers.
          AND NOT EXISTS (
              SELECT
              FROM pg_policy AS policy
              WHERE policy.polrelid = runs.oid
                AND policy.polpermissive
                AND policy.polcmd IN ('r', '*')
                AND pg_get_expr(policy.polqual, policy.polrelid) = 'true'
                AND (policy.polroles = '{0}' OR owner.oid = ANY (policy.polroles))
          )
    ) AS may_be_blind
FROM pg_proc AS procedure
JOIN pg_namespace AS namespace ON namespace.oid = procedure.pronamespace
JOIN pg_roles AS owner ON owner.oid = procedure.proowner
WHERE namespace.nspname = 'reconciler' AND procedure.proname = 'request'
