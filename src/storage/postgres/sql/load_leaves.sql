-- load_leaves: at most $3 leaves after position $1, up to $2.
SELECT position, encode(leaf, 'hex') AS leaf
FROM reconciler.ledger_leaves
WHERE position > $1 AND position <= $2
ORDER BY position
LIMIT $3
