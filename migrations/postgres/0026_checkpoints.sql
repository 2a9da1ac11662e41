-- A tree over the ledger: each verdict with a position is a leaf, in the order of positions, and now and then the root of all
-- leaves so far is put on record. The manual's page about the database says how.
SET LOCAL lock_timeout = '5s';

-- Written after the position, off the settling path, and never again.
CREATE TABLE reconciler.ledger_leaves (
    position   bigint NOT NULL PRIMARY KEY CHECK (position > 0),
    leaf       bytea  NOT NULL CHECK (octet_length(leaf) = 32),
    -- Stands for the facts in the leaf: a digest of their salt and their digest, which outlives the salt.
    facts_seal bytea  CHECK (octet_length(facts_seal) = 32)
);

CREATE TABLE reconciler.checkpoints (
    -- How many leaves it is of.
    size    bigint      NOT NULL PRIMARY KEY CHECK (size > 0),
    root    bytea       NOT NULL CHECK (octet_length(root) = 32),
    -- What is needed to go on from here: roots of full subtrees, one for each bit of the size.
    edge    bytea       NOT NULL CHECK (octet_length(edge) % 32 = 0),
    -- As it is handed out: a signed note, or its text alone where nobody signs.
    note    text        NOT NULL,
    made_at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- A leaf comes after all others, and without a gap.
CREATE FUNCTION reconciler.leaves_follow() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lowest  bigint;
    highest bigint;
    many    bigint;
BEGIN
    SELECT min(position), max(position), count(*) INTO lowest, highest, many FROM added;
    IF many > 0 AND (
        highest - lowest + 1 <> many
        OR lowest - 1 <> (SELECT coalesce(max(position), 0) FROM reconciler.ledger_leaves WHERE position < lowest)
        OR highest <> (SELECT max(position) FROM reconciler.ledger_leaves)
    ) THEN
        RAISE EXCEPTION 'leaves follow on each other: % to % refused', lowest, highest
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER leaves_follow AFTER INSERT ON reconciler.ledger_leaves
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.leaves_follow();

-- A checkpoint is of more leaves than any before it, and of no more than there are.
CREATE FUNCTION reconciler.checkpoints_grow() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.size <= (SELECT max(size) FROM reconciler.checkpoints)
        OR NEW.size > (SELECT coalesce(max(position), 0) FROM reconciler.ledger_leaves)
    THEN
        RAISE EXCEPTION 'checkpoints grow with the leaves: one of % refused', NEW.size
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER checkpoints_grow BEFORE INSERT ON reconciler.checkpoints
    FOR EACH ROW EXECUTE FUNCTION reconciler.checkpoints_grow();

CREATE TRIGGER leaves_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciler.ledger_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();
CREATE TRIGGER checkpoints_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciler.checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();

REVOKE EXECUTE ON FUNCTION reconciler.leaves_follow, reconciler.checkpoints_grow FROM PUBLIC;

-- As migration 8: whoever may write the ledger makes leaves, and whoever may read it reads them.
DO $$
DECLARE
    reader record;
BEGIN
    FOR reader IN
        SELECT
            quote_ident(pg_get_userbyid(entry.grantee)) AS name,
            CASE WHEN bool_or(entry.privilege_type = 'INSERT') THEN 'SELECT, INSERT' ELSE 'SELECT' END AS privileges
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid = 'reconciler.ledger'::regclass
          AND entry.privilege_type IN ('SELECT', 'INSERT')
          AND entry.grantee NOT IN (0, class.relowner)
        GROUP BY entry.grantee
    LOOP
        EXECUTE format(
            'GRANT %s ON reconciler.ledger_leaves, reconciler.checkpoints TO %s', reader.privileges, reader.name
        );
    END LOOP;
END
$$;
