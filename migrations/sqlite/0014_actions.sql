-- What operators did about whole workspaces, for ever.
CREATE TABLE reconciler_actions (
    acted_at     INTEGER NOT NULL DEFAULT (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000),
    acted_by     TEXT    NOT NULL DEFAULT 'sqlite',
    action       TEXT    NOT NULL CHECK (action IN ('forget')),
    workspace_id INTEGER NOT NULL,
    -- What was found when it began: the facts of verdicts and of opinions that were to be erased.
    found        TEXT    NOT NULL
) STRICT;
CREATE TRIGGER reconciler_actions_are_not_updated BEFORE UPDATE ON reconciler_actions
BEGIN
    SELECT RAISE(ABORT, 'reconciler_actions is insert-only: UPDATE refused');
END;
CREATE TRIGGER reconciler_actions_are_not_deleted BEFORE DELETE ON reconciler_actions
BEGIN
    SELECT RAISE(ABORT, 'reconciler_actions is insert-only: DELETE refused');
END;
