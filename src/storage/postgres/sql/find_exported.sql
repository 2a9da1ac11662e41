-- find_exported: of the next $4 places of workspace $1 after its place $2, the first whose verdict was decided at $3
-- or later, if one was, and the last of them; nothing of none.
WITH part AS MATERIALIZED (
    SELECT * FROM reconciler.ledger_positions
    WHERE workspace_id = $1 AND workspace_position > $2
    ORDER BY workspace_position
    LIMIT $4
)
SELECT min(part.workspace_position) FILTER (WHERE entry.decided_at >= $3) AS first, max(part.workspace_position) AS last
FROM part
-- OFFSET has each looked up by its key, and in the month of its run.
LEFT JOIN LATERAL (
    SELECT held.decided_at
    FROM reconciler.ledger AS held
    WHERE held.decision_id = part.decision_id
      AND held.workspace_id = part.workspace_id
      AND (
          held.run_created_at = part.run_created_at
          OR (held.run_created_at IS NULL AND part.run_created_at IS NULL)
      )
    OFFSET 0
) AS entry ON true
