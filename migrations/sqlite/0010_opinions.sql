-- What the rules say of runs that somebody else closed. No verdict: neither the platform nor the ledger is written.
CREATE TABLE reconciler_opinions (
    operation_run_id       INTEGER NOT NULL,
    workspace_id           INTEGER NOT NULL,
    managed_environment_id INTEGER,
    run_created_at         INTEGER,
    -- The highest one is current.
    revision               INTEGER NOT NULL CHECK (revision BETWEEN 1 AND 3),
    -- The run's own outcome.
    claimed                TEXT    NOT NULL,
    stance                 TEXT    NOT NULL
        CHECK (stance IN ('agrees', 'claims_more', 'claims_less', 'disagrees', 'cannot_tell')),
    reason_code            TEXT    NOT NULL,
    -- What the rules would have decided; null where nothing.
    found                  TEXT    CHECK (found IN ('succeeded', 'partially_succeeded', 'blocked', 'failed')),
    ruleset                TEXT    NOT NULL,
    facts_digest           TEXT    NOT NULL
        CHECK (length(facts_digest) = 64 AND facts_digest NOT GLOB '*[^0-9a-f]*'),
    closed_at              INTEGER,
    formed_at              INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX reconciler_opinions_once ON reconciler_opinions
    (operation_run_id, workspace_id, coalesce(managed_environment_id, 0), coalesce(run_created_at, 0), revision);
CREATE TRIGGER reconciler_opinions_are_not_updated BEFORE UPDATE ON reconciler_opinions
BEGIN
    SELECT RAISE(ABORT, 'reconciler_opinions is insert-only: UPDATE refused');
END;
CREATE TRIGGER reconciler_opinions_are_not_deleted BEFORE DELETE ON reconciler_opinions
BEGIN
    SELECT RAISE(ABORT, 'reconciler_opinions is insert-only: DELETE refused');
END;

-- The facts of opinions, in the exact text that was digested. They may be erased where their workspace has gone.
CREATE TABLE reconciler_opinion_facts (
    facts_digest TEXT    NOT NULL PRIMARY KEY
        CHECK (length(facts_digest) = 64 AND facts_digest NOT GLOB '*[^0-9a-f]*'),
    workspace_id INTEGER NOT NULL,
    facts        TEXT    NOT NULL
) STRICT;
CREATE TRIGGER reconciler_opinion_facts_are_not_updated BEFORE UPDATE ON reconciler_opinion_facts
BEGIN
    SELECT RAISE(ABORT, 'reconciler_opinion_facts is insert-only: UPDATE refused');
END;

-- Up to which id runs were walked past.
CREATE TABLE reconciler_opinion_cursor (
    the_one    INTEGER NOT NULL PRIMARY KEY DEFAULT 1 CHECK (the_one = 1),
    walked_to  INTEGER NOT NULL,
    -- Nobody looks before.
    idle_until INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO reconciler_opinion_cursor (walked_to) VALUES (0);

-- Runs that were walked past while they were open, and those whose opinion may change yet.
CREATE TABLE reconciler_opinion_watch (
    operation_run_id       INTEGER NOT NULL PRIMARY KEY,
    workspace_id           INTEGER NOT NULL,
    managed_environment_id INTEGER,
    run_created_at         INTEGER,
    -- Null while the run is open.
    look_again_at          INTEGER
) STRICT;
