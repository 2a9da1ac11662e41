-- tables: whether what is needed of tables is there, and of types that are understood.
WITH me AS (
    SELECT
        quote_ident(current_user) AS role,
        quote_ident(current_database()) AS database,
        (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser
), need AS (
    SELECT *
    FROM ROWS FROM (
        jsonb_to_recordset($1::jsonb)
            AS (part text, oid bigint, name text, written_with text, columns jsonb)
    ) WITH ORDINALITY AS need (part, oid, name, written_with, columns, place)
), placed AS (
    SELECT
        need.place, need.part, need.name, need.written_with,
        relation.oid,
        format('%I.%I', namespace.nspname, relation.relname) AS qualified_name,
        relation.relkind IN ('r', 'p') AS is_table,
        -- Rows of a view are locked, changed and added in its tables, where it is simple enough. Whether it may hide
        -- rows is for row_security to say.
        relation.relkind = 'v' AND pg_relation_is_updatable(relation.oid, false) & needed.bits = needed.bits
            AS is_usable_view,
        pg_has_role(relation.relowner, 'USAGE') AS is_owner
    FROM need
    JOIN pg_class AS relation ON relation.oid = need.oid::oid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    CROSS JOIN LATERAL (
        SELECT CASE need.written_with WHEN 'UPDATE' THEN 4 WHEN 'INSERT' THEN 8 ELSE 0 END AS bits
    ) AS needed
), need_column AS (
    SELECT need.part, need.place, need.name AS table_name, listed.*
    FROM need, ROWS FROM (
        jsonb_to_recordset(need.columns)
            AS (name text, types jsonb, words jsonb, is_read boolean, is_written boolean)
    ) WITH ORDINALITY AS listed (name, types, words, is_read, is_written, column_place)
), found_column AS (
    SELECT
        placed.place,
        attribute.attnum,
        attribute.attname::text AS name,
        format_type(base.oid, NULL) AS type_name,
        CASE WHEN base.typtype = 'e' THEN 'enum' ELSE format_type(base.oid, NULL) END AS kind,
        base.oid AS type_oid,
        (attribute.attnotnull OR made_of.refuses_null)
            AND NOT attribute.atthasdef AND attribute.attidentity = '' AND type.typdefaultbin IS NULL AS must_be_given
    FROM placed
    JOIN pg_attribute AS attribute ON attribute.attrelid = placed.oid
    JOIN pg_type AS type ON type.oid = attribute.atttypid
    CROSS JOIN LATERAL (
        -- A domain may be made of another one.
        WITH RECURSIVE made_of AS (
            SELECT type.oid, type.typtype, type.typbasetype, type.typnotnull
            UNION ALL
            SELECT beneath.oid, beneath.typtype, beneath.typbasetype, beneath.typnotnull
            FROM made_of
            JOIN pg_type AS beneath ON beneath.oid = made_of.typbasetype
            WHERE made_of.typtype = 'd'
        )
        SELECT bool_or(typnotnull) AS refuses_null, min(oid) FILTER (WHERE typtype <> 'd') AS base FROM made_of
    ) AS made_of
    JOIN pg_type AS base ON base.oid = made_of.base
    WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
), finding AS (
    SELECT place, 0 AS kind, 0::bigint AS position, 'table ' || name AS subject,
        'There is no such table.' AS finding, $2 AS action
    FROM need
    WHERE part = 'platform' AND place NOT IN (SELECT place FROM placed)
    UNION ALL
    SELECT place, 1, 0, 'table ' || name,
        format(
            '%s is no table, so %s.', qualified_name,
            CASE name WHEN 'operation_runs' THEN 'its rows cannot be locked'
                WHEN 'audit_logs' THEN 'no row can be added to it' ELSE 'it may hide rows, and with them contrary proof' END
        ), $2
    FROM placed
    WHERE part = 'platform' AND NOT is_table AND NOT is_usable_view
    UNION ALL
    SELECT listed.place, 4, listed.column_place, format('column %s.%s', table_name, listed.name),
        CASE WHEN found.name IS NULL THEN 'There is no such column.'
            ELSE format('Its type is %s, which is not understood.', found.type_name) END,
        CASE WHEN found.name IS NULL THEN $2
            ELSE format(
                'Let the platform''s migrations make it %s, or use a release of restore-reconciler that knows its type.',
                (SELECT string_agg(accepted, ' or ') FROM jsonb_array_elements_text(listed.types) AS accepted)
            ) END
    FROM need_column AS listed
    JOIN placed USING (place)
    LEFT JOIN found_column AS found ON found.place = listed.place AND found.name = listed.name
    WHERE listed.part = 'platform'
      AND (listed.is_read OR listed.is_written)
      AND (found.name IS NULL OR NOT listed.types ? found.kind)
    UNION ALL
    -- An enum refuses a word that it does not have, whether it is written or compared with.
    SELECT listed.place, 4, listed.column_place, format('column %s.%s', table_name, listed.name),
        format('Its type %s does not have %s.', found.type_name, string_agg(quote_literal(word), ', ' ORDER BY number)),
        string_agg(format('ALTER TYPE %s ADD VALUE %L;', found.type_name, word), E'\n' ORDER BY number)
    FROM need_column AS listed
    JOIN found_column AS found ON found.place = listed.place AND found.name = listed.name
    CROSS JOIN LATERAL jsonb_array_elements_text(listed.words) WITH ORDINALITY AS needed (word, number)
    WHERE listed.part = 'platform'
      AND found.kind = 'enum'
      AND listed.types ? 'enum'
      AND NOT EXISTS (SELECT FROM pg_enum WHERE enumtypid = found.type_oid AND enumlabel = needed.word)
    GROUP BY listed.place, listed.column_place, table_name, listed.name, found.type_name
    UNION ALL
    SELECT found.place, 5, found.attnum, format('column %s.%s', placed.name, found.name),
        'It refuses null, has no default, and is not among the columns that are written.',
        format(
            'Give the column a default, or use a release of restore-reconciler that fills %s.', found.name
        )
    FROM found_column AS found
    JOIN placed USING (place)
    WHERE placed.written_with = 'INSERT'
      AND found.must_be_given
      AND NOT EXISTS (
          SELECT FROM need_column AS listed
          WHERE listed.place = found.place AND listed.name = found.name AND (listed.is_read OR listed.is_written)
      )
), checked AS (
    SELECT
        ARRAY[0] AS place,
        'role' AS subject,
        CASE WHEN is_superuser OR owned.tables IS NOT NULL THEN 'advice' ELSE 'good' END AS level,
        CASE WHEN is_superuser THEN format('Role %s is a superuser, which is far more than is needed.', role)
            WHEN owned.tables IS NULL
            THEN format('Role %s is neither a superuser nor an owner of the platform''s tables.', role)
            ELSE format('Role %s owns %s, and so may change and drop them.', role, owned.tables) END AS finding,
        CASE WHEN is_superuser OR owned.tables IS NOT NULL
            THEN 'Connect as a role of its own that may log in and nothing else, and grant it what '
                '`restore-reconciler grants` prints.' END AS action
    FROM me, (
        SELECT string_agg(name, ', ' ORDER BY place) AS tables FROM placed WHERE part = 'platform' AND is_owner
    ) AS owned
    UNION ALL
    SELECT ARRAY[1], 'platform', 'problem',
        format(
            'Database %s holds none of the platform''s tables (%s).',
            database,
            (SELECT string_agg(name, ', ' ORDER BY place) FROM need WHERE part = 'platform')
        ), $2
    FROM me
    WHERE NOT EXISTS (SELECT FROM placed WHERE part = 'platform')
    UNION ALL
    SELECT ARRAY[2, place, kind, position], subject, 'problem', finding, action
    FROM finding
    WHERE EXISTS (SELECT FROM placed WHERE part = 'platform')
    UNION ALL
    SELECT ARRAY[2, place], 'table ' || name, 'good',
        format(
            'All %s columns that are used are there, of types that are understood.',
            (SELECT count(*) FROM need_column AS listed WHERE listed.place = placed.place AND (is_read OR is_written))
        ), NULL
    FROM placed
    WHERE part = 'platform' AND place NOT IN (SELECT place FROM finding)
)
SELECT subject, level, finding, action
FROM checked
ORDER BY place
