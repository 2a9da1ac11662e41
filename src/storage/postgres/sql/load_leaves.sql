-- load_leaves: at most $3 leaves after position $1, up to $2, each with where its verdict stands in which workspace, if its
-- position is there.
SELECT sealed.position, encode(sealed.leaf, 'hex') AS leaf, placed.workspace_id, placed.workspace_position
FROM (
    SELECT position, leaf FROM reconciler.ledger_leaves
    WHERE position > $1 AND position <= $2
    ORDER BY position
    LIMIT $3
) AS sealed
-- OFFSET has each looked up by its key.
LEFT JOIN LATERAL (
    SELECT held.workspace_id, held.workspace_position
    FROM reconciler.ledger_positions AS held
    WHERE held.position = sealed.position
    OFFSET 0
) AS placed ON true
ORDER BY sealed.position
