-- look_before_uninstalling: what is there of ours, and what others have put beside it.
SELECT
    current_database()::text AS database,
    EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'reconciler' AND relname = 'ledger'
    ) AS has_own,
    EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'apalis' AND relname = 'jobs'
    ) AS has_queue,
    -- Views of others that would go with what they read.
    (
        SELECT string_agg(DISTINCT format('%I.%I', namespace.nspname, reader.relname), ', ')
        FROM pg_depend AS dependency
        JOIN pg_class AS ours ON ours.oid = dependency.refobjid
        JOIN pg_namespace AS home ON home.oid = ours.relnamespace AND home.nspname IN ('reconciler', 'apalis')
        JOIN pg_rewrite AS rule ON rule.oid = dependency.objid
        JOIN pg_class AS reader ON reader.oid = rule.ev_class
        JOIN pg_namespace AS namespace ON namespace.oid = reader.relnamespace
        WHERE dependency.classid = 'pg_rewrite'::regclass
          AND dependency.refclassid = 'pg_class'::regclass
          AND namespace.nspname NOT IN ('reconciler', 'apalis')
    ) AS readers,
    -- Columns of others that would go with hstore, where it is in our schema.
    (
        SELECT string_agg(DISTINCT format('%I.%I', namespace.nspname, relation.relname), ', ')
        FROM pg_extension AS extension
        JOIN pg_namespace AS home ON home.oid = extension.extnamespace AND home.nspname = 'reconciler'
        JOIN pg_type AS type ON type.typnamespace = home.oid AND type.typname IN ('hstore', '_hstore')
        JOIN pg_attribute AS attribute ON attribute.atttypid = type.oid AND NOT attribute.attisdropped
        JOIN pg_class AS relation ON relation.oid = attribute.attrelid AND relation.relkind IN ('r', 'p', 'm', 'f')
        JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
        WHERE extension.extname = 'hstore' AND namespace.nspname NOT IN ('reconciler', 'apalis')
    ) AS uses_of_hstore,
    EXISTS (
        SELECT FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = 'hstore' AND nspname = 'reconciler'
    ) AS holds_hstore
