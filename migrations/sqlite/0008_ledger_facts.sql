-- Facts in a table of their own, by their digest, and what the ledger will need later. On PostgreSQL it is also by month;
-- the manual's page about the database says what is for what.
CREATE TABLE reconciler_ledger_facts (
    facts_digest TEXT    NOT NULL PRIMARY KEY
        CHECK (length(facts_digest) = 64 AND facts_digest NOT GLOB '*[^0-9a-f]*'),
    workspace_id INTEGER NOT NULL,
    -- For a digest that outlives the facts.
    salt         BLOB    NOT NULL DEFAULT (randomblob(16)) CHECK (length(salt) = 16),
    facts        TEXT    NOT NULL
) STRICT;

-- SQLite cannot tell whether facts have their digest; whoever reads a verdict does.
INSERT INTO reconciler_ledger_facts (facts_digest, workspace_id, facts)
SELECT facts_digest, workspace_id, facts FROM reconciler_ledger WHERE true
ON CONFLICT DO NOTHING;

CREATE TABLE reconciler_ledger_apart (
    decision_id            TEXT    NOT NULL PRIMARY KEY,
    operation_run_id       INTEGER NOT NULL,
    workspace_id           INTEGER NOT NULL,
    managed_environment_id INTEGER,
    run_created_at         INTEGER,
    revision               INTEGER NOT NULL DEFAULT 1 CHECK (revision > 0),
    first_decision_id      TEXT,
    outcome                TEXT    NOT NULL
        CHECK (outcome IN ('succeeded', 'partially_succeeded', 'blocked', 'failed')),
    reason_code            TEXT    NOT NULL,
    ruleset                TEXT    NOT NULL,
    facts_digest           TEXT    NOT NULL
        CHECK (length(facts_digest) = 64 AND facts_digest NOT GLOB '*[^0-9a-f]*'),
    -- Of programs that know no other place for them, and where other facts have the same digest on record.
    facts                  TEXT,
    decision               TEXT    NOT NULL,
    worker                 TEXT    NOT NULL,
    source                 TEXT    NOT NULL,
    decided_at             INTEGER NOT NULL,
    CHECK ((revision = 1) = (first_decision_id IS NULL))
) STRICT;

INSERT INTO reconciler_ledger_apart (
    decision_id, operation_run_id, workspace_id, managed_environment_id, run_created_at, revision, first_decision_id,
    outcome, reason_code, ruleset, facts_digest, facts, decision, worker, source, decided_at
)
SELECT
    entry.decision_id, entry.operation_run_id, entry.workspace_id, entry.managed_environment_id, entry.run_created_at,
    entry.revision, entry.first_decision_id, entry.outcome, entry.reason_code, entry.ruleset, entry.facts_digest,
    CASE WHEN entry.facts IS NOT kept.facts THEN entry.facts END, entry.decision, entry.worker, entry.source,
    entry.decided_at
FROM reconciler_ledger AS entry JOIN reconciler_ledger_facts AS kept USING (facts_digest);

DROP VIEW reconciler_verdicts;
DROP TABLE reconciler_ledger;
ALTER TABLE reconciler_ledger_apart RENAME TO reconciler_ledger;

CREATE INDEX reconciler_ledger_by_time ON reconciler_ledger (workspace_id, decided_at);
CREATE UNIQUE INDEX reconciler_ledger_once ON reconciler_ledger
    (operation_run_id, workspace_id, coalesce(managed_environment_id, 0), coalesce(run_created_at, 0), revision);
-- All but empty: what most runs have no entry in costs them nothing.
CREATE INDEX reconciler_ledger_later ON reconciler_ledger (first_decision_id, revision)
    WHERE first_decision_id IS NOT NULL;

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
    WHERE decision_id = NEW.decision_id
       OR (
           operation_run_id = NEW.operation_run_id
           AND workspace_id = NEW.workspace_id
           AND managed_environment_id IS NEW.managed_environment_id
           AND run_created_at IS NEW.run_created_at
           AND revision >= NEW.revision
       )
)
BEGIN
    SELECT RAISE(ABORT, 'reconciler_ledger is insert-only: this run has its verdict');
END;

CREATE TRIGGER reconciler_ledger_refuses_first_ruleset
BEFORE INSERT ON reconciler_ledger
WHEN NEW.ruleset = 'restore.execute/1' AND EXISTS (
    SELECT 1
    FROM reconciler_judges
    WHERE seen_at > (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) - 30000) * 1000
)
BEGIN
    SELECT RAISE(ABORT, 'a worker of newer rules is at work, so one of restore.execute/1 settles nothing');
END;

-- Workers from before migration 5 leave the moment out, and their entries would be nobody's.
CREATE TRIGGER reconciler_ledger_refuses_older_programs
BEFORE INSERT ON reconciler_ledger
WHEN NEW.run_created_at IS NULL AND NEW.facts ->> '$.run.created_at.at' IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'this program is older than its database; upgrade it');
END;

CREATE TRIGGER reconciler_ledger_facts_are_not_updated BEFORE UPDATE ON reconciler_ledger_facts
BEGIN
    SELECT RAISE(ABORT, 'reconciler_ledger_facts is insert-only: UPDATE refused');
END;

-- The verdict that counts for each run: the last revision. Facts that were erased are null.
CREATE VIEW reconciler_verdicts AS
SELECT
    entry.decision_id,
    entry.operation_run_id,
    entry.workspace_id,
    entry.managed_environment_id,
    entry.run_created_at,
    entry.revision,
    entry.first_decision_id,
    entry.outcome,
    entry.reason_code,
    entry.ruleset,
    coalesce(
        entry.facts,
        (SELECT kept.facts FROM reconciler_ledger_facts AS kept WHERE kept.facts_digest = entry.facts_digest)
    ) AS facts,
    entry.facts_digest,
    entry.decision,
    entry.worker,
    entry.source,
    entry.decided_at
FROM reconciler_ledger AS entry
WHERE NOT EXISTS (
    SELECT 1
    FROM reconciler_ledger AS later
    WHERE later.first_decision_id = coalesce(entry.first_decision_id, entry.decision_id)
      AND later.revision > entry.revision
);

-- Where each entry stands among all: given without a gap, once it is committed. Nothing writes it yet.
CREATE TABLE reconciler_ledger_positions (
    position           INTEGER NOT NULL PRIMARY KEY CHECK (position > 0),
    decision_id        TEXT    NOT NULL UNIQUE,
    workspace_id       INTEGER NOT NULL,
    -- The same among those of its workspace.
    workspace_position INTEGER NOT NULL CHECK (workspace_position > 0),
    leaf               BLOB    NOT NULL CHECK (length(leaf) = 32),
    previous_leaf      BLOB    CHECK (length(previous_leaf) = 32),
    CHECK ((workspace_position = 1) = (previous_leaf IS NULL)),
    UNIQUE (workspace_id, workspace_position)
) STRICT;
CREATE TRIGGER reconciler_ledger_positions_are_not_updated BEFORE UPDATE ON reconciler_ledger_positions
BEGIN
    SELECT RAISE(ABORT, 'reconciler_ledger_positions is insert-only: UPDATE refused');
END;
CREATE TRIGGER reconciler_ledger_positions_are_not_deleted BEFORE DELETE ON reconciler_ledger_positions
BEGIN
    SELECT RAISE(ABORT, 'reconciler_ledger_positions is insert-only: DELETE refused');
END;
