-- open_sweep: notes that a pass over the due runs begins, with the page that it is about to settle.
INSERT INTO reconciler.sweeps (
    worker, workspace_id, tick_at, shard, shards, in_hand, started_at, beat_at
)
VALUES (
    $1, $2, $3, $4, $5, $6,
    statement_timestamp(), statement_timestamp()
)
RETURNING id
