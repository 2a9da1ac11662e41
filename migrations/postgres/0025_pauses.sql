-- Where nothing is settled until somebody resumes it. A row without a workspace is about all of them.
CREATE TABLE reconciler.pauses (
    workspace_id bigint,
    paused_at    timestamptz NOT NULL DEFAULT statement_timestamp(),
    actor        text        CHECK (char_length(actor) <= 128 AND actor !~ '[[:cntrl:]]'),
    reason       text        NOT NULL CHECK (char_length(reason) <= 500 AND reason !~ '[[:cntrl:]]'),
    UNIQUE NULLS NOT DISTINCT (workspace_id)
);

-- As migration 16: whoever may see or change what is tried again may see or change this.
DO $$
DECLARE
    holder record;
BEGIN
    FOR holder IN
        SELECT entry.privilege_type, pg_get_userbyid(entry.grantee) AS grantee
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid = 'reconciler.attempts'::regclass
          AND entry.privilege_type IN ('SELECT', 'INSERT', 'DELETE')
          AND entry.grantee NOT IN (0, class.relowner)
    LOOP
        EXECUTE format('GRANT %s ON reconciler.pauses TO %I', holder.privilege_type, holder.grantee);
    END LOOP;
END
$$;
