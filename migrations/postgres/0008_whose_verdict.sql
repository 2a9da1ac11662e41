-- Whose verdict an entry is. Ids come again: after a platform was built afresh, restored from a dump, or moved, its run
-- 17 is another run. A run is its id, its workspace, its environment and the moment it was created.
--
-- Entries from before this have no moment of their own: it stands in their facts. None is rewritten.
-- A run that was rolled back with its platform is judged anew: its entry has the next revision and names the first.
ALTER TABLE reconciler.ledger
    ADD COLUMN run_created_at    timestamptz,
    ADD COLUMN revision          integer NOT NULL DEFAULT 1 CHECK (revision > 0),
    ADD COLUMN first_decision_id text,
    ADD CONSTRAINT ledger_first_of_later CHECK ((revision = 1) = (first_decision_id IS NULL)),
    DROP CONSTRAINT ledger_operation_run_id_key;

CREATE UNIQUE INDEX ledger_once ON reconciler.ledger
    (operation_run_id, workspace_id, managed_environment_id, run_created_at, revision) NULLS NOT DISTINCT;
-- All but empty: what most runs have no entry in costs them nothing.
CREATE INDEX ledger_later ON reconciler.ledger (first_decision_id, revision) WHERE first_decision_id IS NOT NULL;

-- The verdict that counts for each run: the last revision. With the rights of whoever asks.
CREATE VIEW reconciler.verdicts WITH (security_invoker = true) AS
SELECT
    entry.decision_id,
    entry.operation_run_id,
    entry.workspace_id,
    entry.managed_environment_id,
    coalesce(entry.run_created_at, (entry.facts::json #>> '{run,created_at,at}')::timestamptz) AS run_created_at,
    entry.revision,
    entry.first_decision_id,
    entry.outcome,
    entry.reason_code,
    entry.ruleset,
    entry.facts,
    entry.facts_digest,
    entry.decision,
    entry.worker,
    entry.source,
    entry.decided_at
FROM reconciler.ledger AS entry
WHERE NOT EXISTS (
    SELECT
    FROM reconciler.ledger AS later
    WHERE later.first_decision_id = coalesce(entry.first_decision_id, entry.decision_id)
      AND later.revision > entry.revision
);
