-- The opinion that counts on each run: its highest revision.
CREATE VIEW reconciler.current_opinions WITH (security_invoker = true) AS
SELECT
    opinion.operation_run_id,
    opinion.workspace_id,
    opinion.managed_environment_id,
    opinion.run_created_at,
    opinion.claimed,
    opinion.stance,
    opinion.reason_code,
    opinion.found,
    opinion.closed_at,
    opinion.formed_at,
    opinion.claimed = 'succeeded' AND opinion.stance = 'claims_more' AS is_unproven_success
FROM reconciler.opinions AS opinion
-- Looked up run by run: a planner that joins reads all opinions there are.
WHERE opinion.revision = (
    SELECT max(any_of.revision)
    FROM reconciler.opinions AS any_of
    WHERE any_of.operation_run_id = opinion.operation_run_id
      AND any_of.workspace_id = opinion.workspace_id
      AND (any_of.managed_environment_id, any_of.run_created_at)
          IS NOT DISTINCT FROM (opinion.managed_environment_id, opinion.run_created_at)
);
-- Pages count them by environment.
CREATE INDEX opinions_unproven_by_environment ON reconciler.opinions (managed_environment_id)
    WHERE claimed = 'succeeded' AND stance = 'claims_more';

-- Whoever may read opinions may read those that count.
DO $$
DECLARE
    holder text;
BEGIN
    FOR holder IN
        SELECT pg_get_userbyid(entry.grantee)
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid = 'reconciler.opinions'::regclass
          AND entry.privilege_type = 'SELECT'
          AND entry.grantee NOT IN (0, class.relowner)
    LOOP
        EXECUTE format('GRANT SELECT ON reconciler.current_opinions TO %I', holder);
    END LOOP;
END
$$;
