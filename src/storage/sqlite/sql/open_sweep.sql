-- open_sweep: notes that a pass over the due runs begins, with the page that it is about to settle.
INSERT INTO reconciler_sweeps (
    worker, workspace_id, tick_at, shard, shards, in_hand, started_at, beat_at
)
VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6,
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000,
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
)
RETURNING id
