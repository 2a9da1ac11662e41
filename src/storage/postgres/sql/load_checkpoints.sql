-- load_checkpoints: the latest $3 checkpoints of more than $1 and at most $2 leaves.
SELECT size, encode(root, 'hex') AS root, note, made_at
FROM reconciler.checkpoints
WHERE size > $1 AND size <= $2
ORDER BY size DESC
LIMIT $3
