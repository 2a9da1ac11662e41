-- open_sweep: notes that a pass over the due runs begins.
INSERT INTO reconciler.sweeps (worker, workspace_id, started_at)
VALUES ($1, $2, statement_timestamp())
RETURNING id
