-- walk_positions: of the next $2 positions after $1, those that do not follow on the one before, or that lead to no entry
-- of the ledger; and the last of them.
WITH part AS MATERIALIZED (
    SELECT
        placed.position, placed.decision_id, placed.run_created_at, placed.workspace_id, placed.placed_at,
        placed.position - lag(placed.position, 1, $1::bigint) OVER (ORDER BY placed.position) - 1 AS skipped
    FROM (
        SELECT * FROM reconciler.ledger_positions WHERE position > $1 ORDER BY position LIMIT $2
    ) AS placed
), looked_at AS MATERIALIZED (
    SELECT
        part.*,
        -- OFFSET has each looked up in the month of its run.
        NOT EXISTS (
            SELECT
            FROM reconciler.ledger AS entry
            WHERE entry.decision_id = part.decision_id
              AND (
                  entry.run_created_at = part.run_created_at
                  OR (entry.run_created_at IS NULL AND part.run_created_at IS NULL)
              )
            OFFSET 0
        ) AS leads_nowhere
    FROM part
)
SELECT position, decision_id, workspace_id, placed_at, skipped, leads_nowhere
FROM looked_at
WHERE skipped > 0 OR leads_nowhere OR position = (SELECT max(position) FROM looked_at)
ORDER BY position
