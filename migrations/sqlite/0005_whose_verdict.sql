-- Whose verdict an entry is. Ids come again, so a run is its id, its workspace, its environment and the moment it was
-- created. A run that was rolled back with its platform is judged anew: its entry has the next revision and names the
-- first. Entries from before this take the moment from their facts.
CREATE TABLE reconciler_ledger_identified (
    decision_id            TEXT    NOT NULL PRIMARY KEY,
    operation_run_id       INTEGER NOT NULL,
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
    decided_at             INTEGER NOT NULL,
    run_created_at         INTEGER,
    revision               INTEGER NOT NULL DEFAULT 1 CHECK (revision > 0),
    first_decision_id      TEXT,
    CHECK ((revision = 1) = (first_decision_id IS NULL))
) STRICT;

INSERT INTO reconciler_ledger_identified (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts,
    facts_digest, decision, worker, source, decided_at, run_created_at
)
SELECT
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts,
    facts_digest, decision, worker, source, decided_at,
    unixepoch(created_at) * 1000000 + CAST(substr(rtrim(substr(created_at, 21), 'Z') || '000000', 1, 6) AS INTEGER)
FROM (SELECT *, facts ->> '$.run.created_at.at' AS created_at FROM reconciler_ledger);

DROP TABLE reconciler_ledger;
ALTER TABLE reconciler_ledger_identified RENAME TO reconciler_ledger;

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

-- Workers from before this leave the moment out, and their entries would be nobody's.
CREATE TRIGGER reconciler_ledger_refuses_older_programs
BEFORE INSERT ON reconciler_ledger
WHEN NEW.run_created_at IS NULL AND NEW.facts ->> '$.run.created_at.at' IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'this program is older than its database; upgrade it');
END;

-- The verdict that counts for each run: the last revision.
CREATE VIEW reconciler_verdicts AS
SELECT *
FROM reconciler_ledger AS entry
WHERE NOT EXISTS (
    SELECT 1
    FROM reconciler_ledger AS later
    WHERE later.first_decision_id = coalesce(entry.first_decision_id, entry.decision_id)
      AND later.revision > entry.revision
);
