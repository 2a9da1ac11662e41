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

-- Workers from before this leave the moment out; it is taken from their facts, so that each entry is found by it.
CREATE FUNCTION reconciler.take_moment_from_facts() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.run_created_at := (NEW.facts::json #>> '{run,created_at,at}')::timestamptz;
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION reconciler.take_moment_from_facts FROM PUBLIC;
CREATE TRIGGER ledger_takes_moment_from_facts BEFORE INSERT ON reconciler.ledger
    FOR EACH ROW WHEN (NEW.run_created_at IS NULL)
    EXECUTE FUNCTION reconciler.take_moment_from_facts();

-- Whoever may read the ledger may read what counts in it: nobody is to stand still until somebody grants it.
DO $$
DECLARE
    reader oid;
BEGIN
    FOR reader IN
        SELECT DISTINCT entry.grantee
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid = 'reconciler.ledger'::regclass
          AND entry.privilege_type = 'SELECT'
          AND entry.grantee NOT IN (0, class.relowner)
    LOOP
        EXECUTE format('GRANT SELECT ON reconciler.verdicts TO %I', pg_get_userbyid(reader));
    END LOOP;
END
$$;
