-- Who asked for which run, settled it by hand, let it start over or gave it up, and what came of it: for ever. What stood
-- here before was about whole workspaces.
ALTER TABLE reconciler_actions RENAME TO reconciler_actions_before;
CREATE TABLE reconciler_actions (
    acted_at               INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000),
    acted_by               TEXT    NOT NULL DEFAULT 'sqlite',
    action                 TEXT    NOT NULL
        CHECK (action IN ('forget', 'request', 'enqueue', 'reconcile', 'retry', 'drop', 'pause', 'resume')),
    workspace_id           INTEGER,
    -- What was found when it began: what is to be erased, or is known no more.
    found                  TEXT,
    -- The name of a token, or the user of the operating system.
    actor                  TEXT    CHECK (length(actor) <= 128),
    managed_environment_id INTEGER,
    operation_run_id       INTEGER,
    run_created_at         INTEGER,
    -- What it did.
    outcome                TEXT    CHECK (length(outcome) <= 128),
    reason                 TEXT    CHECK (length(reason) <= 500),
    trace                  TEXT    CHECK (length(trace) = 32)
) STRICT;
INSERT INTO reconciler_actions (acted_at, acted_by, action, workspace_id, found)
SELECT acted_at, acted_by, action, workspace_id, found FROM reconciler_actions_before;
DROP TABLE reconciler_actions_before;
CREATE INDEX reconciler_actions_of_run ON reconciler_actions (operation_run_id, acted_at)
    WHERE operation_run_id IS NOT NULL;
CREATE TRIGGER reconciler_actions_are_not_updated BEFORE UPDATE ON reconciler_actions
BEGIN
    SELECT RAISE(ABORT, 'reconciler_actions is insert-only: UPDATE refused');
END;
CREATE TRIGGER reconciler_actions_are_not_deleted BEFORE DELETE ON reconciler_actions
BEGIN
    SELECT RAISE(ABORT, 'reconciler_actions is insert-only: DELETE refused');
END;
