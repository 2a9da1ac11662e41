-- The new tables take the ledger's place. Nothing is lost on the way, or this fails and the ledger is as it was. A small
-- ledger is copied right here.
SET LOCAL lock_timeout = '5s';

DO $$
BEGIN
    IF reconciler.copy_ledger(10000) > 0 THEN
        RAISE EXCEPTION 'the ledger was not copied yet'
            USING HINT = 'Run `restore-reconciler migrate`, or all of the script of `migrate --sql`, in which that comes first.';
    END IF;
    IF (SELECT count(*) FROM reconciler.ledger) <> (SELECT count(*) FROM reconciler.ledger_next) THEN
        RAISE EXCEPTION 'the copy of the ledger has another number of entries';
    END IF;
END
$$;

LOCK TABLE reconciler.ledger IN ACCESS EXCLUSIVE MODE;

-- Whoever may read or write the ledger may do so in its new form: nobody is to stand still until somebody grants it.
DO $$
DECLARE
    allowed record;
BEGIN
    FOR allowed IN
        SELECT entry.privilege_type AS privilege, named.grantee, '' AS columns
        FROM pg_class AS class
        CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        CROSS JOIN LATERAL (
            SELECT CASE entry.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(entry.grantee)) END AS grantee
        ) AS named
        WHERE class.oid = 'reconciler.ledger'::regclass
          AND entry.privilege_type IN ('SELECT', 'INSERT')
          AND entry.grantee <> class.relowner
        UNION ALL
        SELECT
            entry.privilege_type,
            CASE entry.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(entry.grantee)) END,
            format('(%I)', attribute.attname)
        FROM pg_attribute AS attribute CROSS JOIN LATERAL aclexplode(attribute.attacl) AS entry
        WHERE attribute.attrelid = 'reconciler.ledger'::regclass AND entry.privilege_type IN ('SELECT', 'INSERT')
    LOOP
        EXECUTE format(
            'GRANT %s %s ON reconciler.ledger_next TO %s', allowed.privilege, allowed.columns, allowed.grantee
        );
        IF allowed.columns = '' THEN
            EXECUTE format('GRANT %s ON reconciler.ledger_facts TO %s', allowed.privilege, allowed.grantee);
        END IF;
        IF allowed.privilege = 'SELECT' THEN
            EXECUTE format('GRANT SELECT ON reconciler.ledger_revisions TO %s', allowed.grantee);
        END IF;
    END LOOP;
END
$$;

-- The verdict that counts for each run: the last revision. With the rights of whoever asks. Facts that were erased are null.
CREATE OR REPLACE VIEW reconciler.verdicts WITH (security_invoker = true) AS
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
    -- Looked up where somebody asks for it alone.
    coalesce(
        entry.facts,
        (
            SELECT kept.facts
            FROM reconciler.ledger_facts AS kept
            WHERE kept.facts_digest = decode(entry.facts_digest, 'hex')
              -- In these words, so that it is looked up in one month.
              AND (
                  kept.run_created_at = entry.run_created_at
                  OR (kept.run_created_at IS NULL AND entry.run_created_at IS NULL)
              )
        )
    ) AS facts,
    entry.facts_digest,
    entry.decision,
    entry.worker,
    entry.source,
    entry.decided_at
FROM reconciler.ledger_next AS entry
WHERE NOT EXISTS (
    SELECT
    FROM reconciler.ledger_revisions AS later
    WHERE later.first_decision_id = coalesce(entry.first_decision_id, entry.decision_id)
      AND later.revision > entry.revision
);

DROP FUNCTION reconciler.copy_ledger, reconciler.copy_entries, reconciler.moment_of;
DROP TABLE reconciler.ledger, reconciler.ledger_copying;
DROP FUNCTION reconciler.copy_added, reconciler.take_moment_from_facts;
ALTER TABLE reconciler.ledger_next RENAME TO ledger;
ALTER INDEX reconciler.ledger_next_decisions RENAME TO ledger_decisions;
ALTER INDEX reconciler.ledger_next_once RENAME TO ledger_once;
ALTER INDEX reconciler.ledger_next_by_time RENAME TO ledger_by_time;

-- Workers from before migration 8 leave the moment out, and their entries would be nobody's.
CREATE FUNCTION reconciler.refuse_older_programs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF reconciler.moment_in(NEW.facts) IS NOT NULL THEN
        RAISE EXCEPTION 'this program is older than its database; upgrade it';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER ledger_refuses_older_programs BEFORE INSERT ON reconciler.ledger
    FOR EACH ROW WHEN (NEW.run_created_at IS NULL AND NEW.facts IS NOT NULL)
    EXECUTE FUNCTION reconciler.refuse_older_programs();
CREATE TRIGGER ledger_refuses_first_ruleset BEFORE INSERT ON reconciler.ledger
    FOR EACH ROW WHEN (NEW.ruleset = 'restore.execute/1')
    EXECUTE FUNCTION reconciler.refuse_first_ruleset();
CREATE TRIGGER ledger_rows_are_final BEFORE UPDATE OR DELETE ON reconciler.ledger
    FOR EACH ROW EXECUTE FUNCTION reconciler.refuse_change();
CREATE TRIGGER ledger_is_never_emptied BEFORE TRUNCATE ON reconciler.ledger
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();

-- Makes the partitions of the months to come, and says how many. A sweep calls it; where they are there it only looks, and
-- where others hold the ledger it leaves the rest to the next.
CREATE FUNCTION reconciler.extend_ledger() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '250ms' AS $$
DECLARE
    made   integer := 0;
    wanted record;
BEGIN
    FOR wanted IN
        SELECT name, month::date
        FROM (VALUES ('ledger'), ('ledger_facts')) AS partitioned (name)
        CROSS JOIN date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC') AS this (first)
        CROSS JOIN LATERAL generate_series(first, first + interval '12 months', '1 month') AS month
    LOOP
        IF reconciler.add_partition(format('reconciler.%I', wanted.name)::regclass, wanted.name, wanted.month) THEN
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
EXCEPTION WHEN lock_not_available OR duplicate_table OR unique_violation THEN
    RETURN 0;
END
$$;
REVOKE EXECUTE ON FUNCTION reconciler.refuse_older_programs, reconciler.extend_ledger FROM PUBLIC;
DO $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN
        SELECT quote_ident(pg_get_userbyid(entry.grantee))
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid = 'reconciler.ledger'::regclass
          AND entry.privilege_type = 'INSERT'
          AND entry.grantee NOT IN (0, class.relowner)
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION reconciler.extend_ledger TO %s', grantee);
    END LOOP;
END
$$;
