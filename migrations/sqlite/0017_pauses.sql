-- Where nothing is settled until somebody resumes it. A row without a workspace is about all of them.
CREATE TABLE reconciler_pauses (
    workspace_id INTEGER,
    paused_at    INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000),
    actor        TEXT    CHECK (length(actor) <= 128),
    reason       TEXT    NOT NULL CHECK (length(reason) <= 500)
) STRICT;
CREATE UNIQUE INDEX reconciler_pauses_once ON reconciler_pauses (coalesce(workspace_id, 0));
