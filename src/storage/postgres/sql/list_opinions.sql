-- list_opinions: current opinions, unproven successes first, then the latest runs; at most $3. Null: of all workspaces,
-- and since ever.
WITH latest AS NOT MATERIALIZED (
    SELECT
        opinion.operation_run_id AS run_id,
        opinion.workspace_id,
        opinion.managed_environment_id AS environment_id,
        opinion.claimed,
        opinion.stance,
        opinion.reason_code,
        opinion.found,
        opinion.closed_at,
        opinion.formed_at,
        opinion.claimed = 'succeeded' AND opinion.stance = 'claims_more' AS is_unproven
    FROM reconciler.opinions AS opinion
    JOIN operation_runs AS run
      ON run.id = opinion.operation_run_id
     AND run.workspace_id = opinion.workspace_id
     AND run.managed_environment_id IS NOT DISTINCT FROM opinion.managed_environment_id
     AND (run.created_at = opinion.run_created_at OR opinion.run_created_at IS NULL)
    WHERE ($1::bigint IS NULL OR opinion.workspace_id = $1)
      AND ($2::timestamptz IS NULL OR coalesce(opinion.closed_at, opinion.formed_at) >= $2)
      AND NOT EXISTS (
          SELECT
          FROM reconciler.opinions AS later
          WHERE later.operation_run_id = opinion.operation_run_id
            AND later.workspace_id = opinion.workspace_id
            AND (later.managed_environment_id, later.run_created_at)
                IS NOT DISTINCT FROM (opinion.managed_environment_id, opinion.run_created_at)
            AND later.revision > opinion.revision
      )
), unproven AS MATERIALIZED (
    SELECT * FROM latest WHERE claimed = 'succeeded' AND stance = 'claims_more' ORDER BY run_id DESC LIMIT $3
), others AS MATERIALIZED (
    SELECT *
    FROM latest
    WHERE NOT (claimed = 'succeeded' AND stance = 'claims_more')
    ORDER BY run_id DESC
    LIMIT $3
)
SELECT run_id, workspace_id, environment_id, claimed, stance, reason_code, found, closed_at, formed_at
FROM (SELECT * FROM unproven UNION ALL SELECT * FROM others) AS listed
ORDER BY is_unproven DESC, run_id DESC
LIMIT $3
