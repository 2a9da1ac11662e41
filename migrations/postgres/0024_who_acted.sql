-- Who asked for which run, settled it by hand, let it start over or gave it up, and what came of it: for ever, each row
-- written in the transaction of what it tells. What stood here before was about whole workspaces.
ALTER TABLE reconciler.actions
    DROP CONSTRAINT actions_action_check,
    ALTER COLUMN workspace_id DROP NOT NULL,
    ALTER COLUMN found DROP NOT NULL,
    -- The name of a token, or the user of the operating system; acted_by is the role of the database.
    ADD COLUMN actor                  text CHECK (char_length(actor) <= 128),
    ADD COLUMN managed_environment_id bigint,
    ADD COLUMN operation_run_id       bigint,
    ADD COLUMN run_created_at         timestamptz,
    -- What it did. What was known before and is known no more stands in found.
    ADD COLUMN outcome                text CHECK (char_length(outcome) <= 128),
    ADD COLUMN reason                 text CHECK (char_length(reason) <= 500),
    ADD COLUMN trace                  text CHECK (trace ~ '^[0-9a-f]{32}$'),
    ADD CONSTRAINT actions_action_check CHECK (
        action IN ('forget', 'request', 'enqueue', 'reconcile', 'retry', 'drop', 'pause', 'resume')
    );
CREATE INDEX actions_of_run ON reconciler.actions (operation_run_id, acted_at) WHERE operation_run_id IS NOT NULL;

-- Whoever may see what is in trouble, and ask for runs, may note that he did and see who did. The moment and the role of
-- the database are not his to say.
DO $$
DECLARE
    holder text;
BEGIN
    FOR holder IN
        SELECT pg_get_userbyid(entry.grantee)
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid = 'reconciler.attempts'::regclass
          AND entry.privilege_type = 'SELECT'
          AND entry.grantee NOT IN (0, class.relowner)
          AND has_function_privilege(entry.grantee, 'reconciler.request(bigint, text)', 'EXECUTE')
    LOOP
        EXECUTE format(
            'GRANT SELECT, INSERT (action, actor, reason, trace, workspace_id, managed_environment_id, operation_run_id, '
            'run_created_at, outcome, found) ON reconciler.actions TO %I', holder
        );
    END LOOP;
END
$$;
