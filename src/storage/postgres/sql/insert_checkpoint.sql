-- insert_checkpoint: the checkpoint of the first $1 leaves.
INSERT INTO reconciler.checkpoints (size, root, edge, note)
VALUES ($1, decode($2, 'hex'), decode($3, 'hex'), $4)
RETURNING size, encode(root, 'hex') AS root, note, made_at
