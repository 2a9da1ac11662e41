-- Everything this product owns carries the prefix `reconciler_`. Platform tables are never changed
-- here. Moments are integer microseconds since 1970, UTC.

-- One row per verdict, for ever. The facts are kept in the exact text that was digested, so that a
-- decision can be checked and repeated long after the rows it was made from are gone.
CREATE TABLE reconciler_ledger (
    decision_id            TEXT    NOT NULL PRIMARY KEY,
    operation_run_id       INTEGER NOT NULL UNIQUE,
    workspace_id           INTEGER NOT NULL,
    managed_environment_id INTEGER,
    outcome                TEXT    NOT NULL
        CHECK (outcome IN ('succeeded', 'partially_succeeded', 'blocked', 'failed')),
    reason_code            TEXT    NOT NULL,
    ruleset                TEXT    NOT NULL,
    facts                  TEXT    NOT NULL,
    facts_digest           TEXT    NOT NULL
        CHECK (length(facts_digest) = 64 AND facts_digest NOT GLOB '*[^0-9a-f]*'),
    decision               TEXT    NOT NULL,
    worker                 TEXT    NOT NULL,
    source                 TEXT    NOT NULL,
    decided_at             INTEGER NOT NULL
) STRICT;

CREATE INDEX reconciler_ledger_by_time ON reconciler_ledger (workspace_id, decided_at);

CREATE TRIGGER reconciler_ledger_rows_are_not_updated BEFORE UPDATE ON reconciler_ledger
BEGIN
    SELECT RAISE(ABORT, 'reconciler_ledger is insert-only: UPDATE refused');
END;

CREATE TRIGGER reconciler_ledger_rows_are_not_deleted BEFORE DELETE ON reconciler_ledger
BEGIN
    SELECT RAISE(ABORT, 'reconciler_ledger is insert-only: DELETE refused');
END;

-- INSERT OR REPLACE deletes the old row without firing the trigger above.
CREATE TRIGGER reconciler_ledger_rows_are_not_replaced BEFORE INSERT ON reconciler_ledger
WHEN EXISTS (
    SELECT 1 FROM reconciler_ledger
    WHERE operation_run_id = NEW.operation_run_id OR decision_id = NEW.decision_id
)
BEGIN
    SELECT RAISE(ABORT, 'reconciler_ledger is insert-only: this run has its verdict');
END;

-- Runs that were looked at and stay open.
CREATE TABLE reconciler_watch_list (
    operation_run_id       INTEGER NOT NULL PRIMARY KEY,
    workspace_id           INTEGER NOT NULL,
    managed_environment_id INTEGER,
    reason_code            TEXT    NOT NULL,
    first_seen_at          INTEGER NOT NULL,
    last_looked_at         INTEGER NOT NULL,
    look_again_at          INTEGER NOT NULL,
    tries                  INTEGER NOT NULL CHECK (tries > 0)
) STRICT;

CREATE INDEX reconciler_watch_list_by_time ON reconciler_watch_list (look_again_at);

-- One row per pass over the due runs. `ended_at` stays null where a pass died.
CREATE TABLE reconciler_sweeps (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    worker              TEXT    NOT NULL,
    workspace_id        INTEGER,
    started_at          INTEGER NOT NULL,
    ended_at            INTEGER,
    succeeded           INTEGER NOT NULL DEFAULT 0,
    partially_succeeded INTEGER NOT NULL DEFAULT 0,
    blocked             INTEGER NOT NULL DEFAULT 0,
    failed              INTEGER NOT NULL DEFAULT 0,
    deferred            INTEGER NOT NULL DEFAULT 0,
    refused             INTEGER NOT NULL DEFAULT 0,
    passed_over         INTEGER NOT NULL DEFAULT 0
) STRICT;
