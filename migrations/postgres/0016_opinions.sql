-- What the rules say of runs that somebody else closed. No verdict: neither the platform nor the ledger is written.
CREATE TABLE reconciler.opinions (
    operation_run_id       bigint      NOT NULL,
    workspace_id           bigint      NOT NULL,
    managed_environment_id bigint,
    run_created_at         timestamptz,
    -- The highest one is current.
    revision               integer     NOT NULL CHECK (revision BETWEEN 1 AND 3),
    -- The run's own outcome.
    claimed                text        NOT NULL,
    stance                 text        NOT NULL
        CHECK (stance IN ('agrees', 'claims_more', 'claims_less', 'disagrees', 'cannot_tell')),
    reason_code            text        NOT NULL,
    -- What the rules would have decided; null where nothing.
    found                  text        CHECK (found IN ('succeeded', 'partially_succeeded', 'blocked', 'failed')),
    ruleset                text        NOT NULL,
    facts_digest           text        NOT NULL CHECK (facts_digest ~ '^[0-9a-f]{64}$'),
    closed_at              timestamptz,
    formed_at              timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (operation_run_id, workspace_id, managed_environment_id, run_created_at, revision)
);
CREATE INDEX opinions_unproven ON reconciler.opinions (operation_run_id)
    WHERE claimed = 'succeeded' AND stance = 'claims_more';
CREATE TRIGGER opinions_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciler.opinions
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();

-- The facts of opinions, in the exact text that was digested. They may be erased where their workspace has gone.
CREATE TABLE reconciler.opinion_facts (
    facts_digest text   NOT NULL PRIMARY KEY CHECK (facts_digest ~ '^[0-9a-f]{64}$'),
    workspace_id bigint NOT NULL,
    facts        text   NOT NULL
);
CREATE TRIGGER facts_are_final BEFORE UPDATE ON reconciler.opinion_facts
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();

-- Up to which id runs were walked past.
CREATE TABLE reconciler.opinion_cursor (
    the_one    boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (the_one),
    walked_to  bigint      NOT NULL,
    -- Nobody looks before.
    idle_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO reconciler.opinion_cursor (walked_to) VALUES (0);

-- Runs that were walked past while they were open, and those whose opinion may change yet.
CREATE TABLE reconciler.opinion_watch (
    operation_run_id       bigint      NOT NULL PRIMARY KEY,
    workspace_id           bigint      NOT NULL,
    managed_environment_id bigint,
    run_created_at         timestamptz,
    -- Null while the run is open.
    look_again_at          timestamptz
);
CREATE INDEX opinion_watch_by_time ON reconciler.opinion_watch (look_again_at);

-- As migration 8: whoever may do it with the ledger or the watch list may do it with these.
DO $$
DECLARE
    holder record;
BEGIN
    FOR holder IN
        SELECT class.relname, entry.privilege_type, pg_get_userbyid(entry.grantee) AS grantee
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid IN ('reconciler.ledger'::regclass, 'reconciler.watch_list'::regclass)
          AND entry.grantee NOT IN (0, class.relowner)
    LOOP
        IF holder.relname = 'ledger' AND holder.privilege_type IN ('SELECT', 'INSERT') THEN
            EXECUTE format('GRANT %s ON reconciler.opinions TO %I', holder.privilege_type, holder.grantee);
        END IF;
        IF holder.relname = 'ledger' AND holder.privilege_type = 'INSERT' THEN
            EXECUTE format('GRANT SELECT, INSERT ON reconciler.opinion_facts TO %I', holder.grantee);
        END IF;
        IF holder.relname = 'watch_list' AND holder.privilege_type = 'UPDATE' THEN
            EXECUTE format('GRANT SELECT, UPDATE ON reconciler.opinion_cursor TO %I', holder.grantee);
            EXECUTE format(
                'GRANT SELECT, INSERT, UPDATE, DELETE ON reconciler.opinion_watch TO %I', holder.grantee
            );
        END IF;
    END LOOP;
END
$$;
