-- open_sweep: notes that a pass over the due runs begins.
INSERT INTO reconciler_sweeps (worker, workspace_id, started_at)
VALUES (?1, ?2, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000)
RETURNING id
