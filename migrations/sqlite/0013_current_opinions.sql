-- The opinion that counts on each run: its highest revision.
CREATE VIEW reconciler_current_opinions AS
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
FROM reconciler_opinions AS opinion
WHERE NOT EXISTS (
    SELECT 1
    FROM reconciler_opinions AS later
    WHERE later.operation_run_id = opinion.operation_run_id
      AND later.workspace_id = opinion.workspace_id
      AND later.managed_environment_id IS opinion.managed_environment_id
      AND later.run_created_at IS opinion.run_created_at
      AND later.revision > opinion.revision
);
CREATE INDEX reconciler_opinions_unproven ON reconciler_opinions (managed_environment_id, operation_run_id)
    WHERE claimed = 'succeeded' AND stance = 'claims_more';
