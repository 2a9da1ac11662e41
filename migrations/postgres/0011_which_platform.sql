-- Which platform this schema serves: the one whose tables are in this schema. Ids of a second platform in the same
-- database mean other runs, so from there nothing is settled. The install id tells one installation from every other.
CREATE TABLE reconciler.platform (
    the_one     boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (the_one),
    schema_name text        NOT NULL,
    install_id  uuid        NOT NULL DEFAULT gen_random_uuid(),
    bound_at    timestamptz NOT NULL
);

-- Binds to the platform in a schema, and has reconciler.request ask there: its plans are kept per session, which a name
-- that is looked up at each call would cost.
CREATE FUNCTION reconciler.bind(platform_schema name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    definition text := pg_get_functiondef('reconciler.request(bigint, text)'::regprocedure);
    asked      text := substring(definition FROM 'FROM ([^\n]+) AS run\n');
BEGIN
    IF asked IS NULL THEN
        RAISE EXCEPTION 'reconciler.request is not as migration 5 left it';
    END IF;
    EXECUTE replace(
        definition, format('FROM %s AS run', asked), format('FROM %I.operation_runs AS run', platform_schema)
    );
    INSERT INTO reconciler.platform (schema_name, bound_at)
    VALUES (platform_schema, now())
    ON CONFLICT (the_one) DO UPDATE SET schema_name = excluded.schema_name, bound_at = excluded.bound_at;
END
$$;
REVOKE EXECUTE ON FUNCTION reconciler.bind FROM PUBLIC;

-- An installation from before this serves the platform that its function asks about, where that is still there.
DO $$
DECLARE
    asked text := substring(
        pg_get_functiondef('reconciler.request(bigint, text)'::regprocedure) FROM 'FROM ([^\n]+) AS run\n'
    );
    found name := (
        SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = 'operation_runs'::regclass
    );
BEGIN
    IF to_regclass(asked) <> 'operation_runs'::regclass THEN
        RAISE EXCEPTION 'schema reconciler serves the platform of %, and the search path leads to that in schema %', asked, found
            USING HINT = 'Give a second platform a database of its own.';
    END IF;
    PERFORM reconciler.bind(found);
END
$$;

-- As migration 8: whoever may read the ledger may read whose it is.
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
        EXECUTE format('GRANT SELECT ON reconciler.platform TO %I', pg_get_userbyid(reader));
    END LOOP;
END
$$;
