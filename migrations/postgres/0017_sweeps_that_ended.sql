-- A sweep has ended once each of its shards was swept to its end. That is written down, because nothing else shows it: jobs may
-- be lost or removed, and a pass over nothing leaves no row.
ALTER TABLE reconciler.ticks
    -- How many shards its sweep has; null until one has ended, or where nobody wrote it down.
    ADD COLUMN shards integer CHECK (shards BETWEEN 0 AND 62),
    -- Those that were swept to their end, a bit each.
    ADD COLUMN swept  bigint NOT NULL DEFAULT 0;

-- As migration 16: whoever may win a tick may write down how its sweep ended.
DO $$
DECLARE
    winner oid;
BEGIN
    FOR winner IN
        SELECT entry.grantee
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid = 'reconciler.ticks'::regclass
          AND entry.privilege_type = 'INSERT' AND entry.grantee NOT IN (0, class.relowner)
    LOOP
        EXECUTE format('GRANT UPDATE ON reconciler.ticks TO %I', pg_get_userbyid(winner));
    END LOOP;
END
$$;
