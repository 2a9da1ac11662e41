-- tables: whether what is needed of tables is there, of types that are understood, and open to this role.
-- Tables are looked up by name and not through the search path, which hides schemas that may not be used.
WITH me AS (
    SELECT
        quote_ident(current_user) AS role,
        quote_ident(current_database()) AS database,
        current_setting('search_path') AS search_path,
        (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser
), need AS (
    SELECT *
    FROM ROWS FROM (
        jsonb_to_recordset($1::jsonb)
            AS (part text, schema text, name text, written_with text, privileges jsonb, is_shown boolean, columns jsonb)
    ) WITH ORDINALITY AS need (part, schema, name, written_with, privileges, is_shown, columns, place)
), placed AS (
    SELECT DISTINCT ON (need.place)
        need.*,
        relation.oid,
        quote_ident(namespace.nspname) AS its_schema,
        format('%I.%I', namespace.nspname, relation.relname) AS qualified_name,
        relation.relkind IN ('r', 'p') AS is_table,
        -- Rows of a view are locked and changed in its tables, where it is simple enough. It hides no proof: what
        -- a run says of itself proves nothing.
        need.name = 'operation_runs' AND relation.relkind = 'v'
            AND (pg_relation_is_updatable(relation.oid, false) & 4) = 4 AS is_lockable_view,
        pg_table_is_visible(relation.oid) AS is_on_search_path,
        has_schema_privilege(namespace.oid, 'USAGE') AS may_use_schema,
        pg_has_role(relation.relowner, 'USAGE') AS is_owner,
        row_security_active(relation.oid) AS hides_rows
    FROM need
    JOIN pg_class AS relation ON relation.relname = need.name AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE CASE WHEN need.schema IS NULL
        THEN namespace.nspname !~ '^pg_' AND namespace.nspname NOT IN ('information_schema', 'reconciler')
        ELSE namespace.nspname = need.schema END
    ORDER BY need.place, pg_table_is_visible(relation.oid) DESC, namespace.nspname
), need_column AS (
    SELECT need.part, need.place, need.name AS table_name, listed.*
    FROM need, ROWS FROM (
        jsonb_to_recordset(need.columns)
            AS (name text, types jsonb, words jsonb, is_read boolean, is_written boolean, is_shown boolean)
    ) WITH ORDINALITY AS listed (name, types, words, is_read, is_written, is_shown, column_place)
), found_column AS (
    SELECT
        placed.place,
        attribute.attnum,
        attribute.attname::text AS name,
        format_type(base.oid, NULL) AS type_name,
        CASE WHEN base.typtype = 'e' THEN 'enum' ELSE format_type(base.oid, NULL) END AS kind,
        base.oid AS type_oid,
        attribute.attnotnull AND NOT attribute.atthasdef AND attribute.attidentity = '' AS must_be_given,
        has_column_privilege(placed.oid, attribute.attnum, 'SELECT') AS may_select,
        has_column_privilege(placed.oid, attribute.attnum, placed.written_with) AS may_write
    FROM placed
    JOIN pg_attribute AS attribute ON attribute.attrelid = placed.oid
    JOIN pg_type AS type ON type.oid = attribute.atttypid
    JOIN pg_type AS base ON base.oid = CASE WHEN type.typtype = 'd' THEN type.typbasetype ELSE type.oid END
    WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
), closed_sequence AS (
    -- The sequence behind `serial` is used by every insert that does not name the column, and needs a
    -- privilege of its own; the one of an identity does not.
    SELECT placed.place, expression.adnum, format('%I.%I', namespace.nspname, relation.relname) AS name
    FROM placed
    JOIN pg_attrdef AS expression ON expression.adrelid = placed.oid
    JOIN pg_depend AS dependency
      ON dependency.classid = 'pg_attrdef'::regclass
     AND dependency.objid = expression.oid
     AND dependency.refclassid = 'pg_class'::regclass
    JOIN pg_class AS relation ON relation.oid = dependency.refobjid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE placed.written_with = 'INSERT'
      AND CASE WHEN relation.relkind = 'S'
          THEN NOT (has_sequence_privilege(relation.oid, 'USAGE') OR has_sequence_privilege(relation.oid, 'UPDATE')) END
), finding AS (
    SELECT place, 0 AS kind, 0::bigint AS position, 'table ' || name AS subject,
        'There is no such table.' AS finding, $2 AS action
    FROM need
    WHERE part = 'platform' AND place NOT IN (SELECT place FROM placed)
    UNION ALL
    SELECT place, 1, 0, 'table ' || name,
        format(
            '%s is no table, so %s.', qualified_name,
            CASE name WHEN 'operation_runs' THEN 'its rows cannot be locked' ELSE 'it may hide rows, and with them contrary proof' END
        ), $2
    FROM placed
    WHERE part = 'platform' AND NOT is_table AND NOT is_lockable_view
    UNION ALL
    -- A schema that may not be used is never on the path; the privilege is asked for below.
    SELECT place, 2, 0, 'table ' || name,
        format('It is in schema %s, which the search path (%s) does not lead to.', its_schema, search_path),
        format('ALTER ROLE %s IN DATABASE %s SET search_path = %s, %s;', role, database, its_schema, search_path)
    FROM placed, me
    WHERE part = 'platform' AND may_use_schema AND NOT is_on_search_path
    UNION ALL
    -- A hidden audit entry or rival restore would turn a contradiction into a success.
    SELECT place, 3, 0, 'table ' || name,
        format('Row security may hide rows of it, and with them contrary proof, from role %s.', role),
        format('CREATE POLICY restore_reconciler ON %s TO %s USING (true);', qualified_name, role)
    FROM placed, me
    WHERE part = 'platform' AND hides_rows
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
), closed_schema AS (
    SELECT part, is_shown, its_schema AS schema FROM placed WHERE NOT may_use_schema
), closed_columns AS (
    -- Per table, the columns that need a privilege and do not have it. Those that are not there cannot be granted.
    SELECT
        placed.place,
        wanted.privilege,
        wanted.place AS position,
        count(*) AS columns_count,
        string_agg(found.name, ', ' ORDER BY listed.column_place) AS names
    FROM placed
    JOIN need_column AS listed USING (place)
    JOIN found_column AS found ON found.place = placed.place AND found.name = listed.name
    CROSS JOIN LATERAL (
        VALUES
            (1, 'SELECT', listed.is_read AND NOT found.may_select),
            (2, placed.written_with, listed.is_written AND NOT found.may_write),
            (0, 'shown', listed.is_shown AND NOT found.may_select)
    ) AS wanted (place, privilege, is_lacking)
    WHERE wanted.is_lacking
    GROUP BY placed.place, wanted.privilege, wanted.place
), lack AS (
    SELECT
        place,
        position,
        format('%s on %s column(s)', privilege, columns_count) AS what,
        format('GRANT %s (%s) ON %s TO %s;', privilege, names, qualified_name, role) AS statement
    FROM closed_columns
    JOIN placed USING (place)
    CROSS JOIN me
    WHERE privilege <> 'shown'
    UNION ALL
    SELECT DISTINCT ON (place, adnum) place, 2 + adnum, 'USAGE of sequence ' || name,
        format('GRANT USAGE ON SEQUENCE %s TO %s;', name, role)
    FROM closed_sequence, me
    UNION ALL
    SELECT place, 1, string_agg(privilege, ', ' ORDER BY position),
        format('GRANT %s ON %s TO %s;', string_agg(privilege, ', ' ORDER BY position), qualified_name, role)
    FROM placed
    CROSS JOIN me
    CROSS JOIN LATERAL jsonb_array_elements_text(privileges) WITH ORDINALITY AS listed (privilege, position)
    WHERE NOT has_table_privilege(oid, privilege)
    GROUP BY place, qualified_name, role
), console_lack AS (
    SELECT DISTINCT 1 AS kind, 0::bigint AS place, schema COLLATE "C" AS name, 'USAGE of schema ' || schema AS what,
        format('GRANT USAGE ON SCHEMA %s TO %s;', schema, role) AS statement
    FROM closed_schema, me
    WHERE is_shown
    UNION ALL
    SELECT 2, place, '', format('SELECT on %s column(s) of %s', columns_count, name),
        format('GRANT SELECT (%s) ON %s TO %s;', names, qualified_name, role)
    FROM closed_columns
    JOIN placed USING (place)
    CROSS JOIN me
    WHERE privilege = 'shown'
    UNION ALL
    SELECT 3, CASE WHEN part = 'queue' THEN 2 ELSE 1 END, name, 'SELECT on ' || qualified_name,
        format('GRANT SELECT ON %s TO %s;', qualified_name, role)
    FROM placed, me
    WHERE is_shown AND part IN ('own', 'queue') AND NOT has_table_privilege(oid, 'SELECT')
    UNION ALL
    SELECT 4, 0, called.proname, 'EXECUTE on reconciler.' || called.proname,
        format('GRANT EXECUTE ON FUNCTION reconciler.%s TO %s;', called.proname, role)
    FROM me, pg_proc AS called
    JOIN pg_namespace AS namespace ON namespace.oid = called.pronamespace
    WHERE namespace.nspname = 'reconciler'
      AND called.proname = ANY ($4::text[])
      AND NOT has_function_privilege(called.oid, 'EXECUTE')
), console_absent AS (
    SELECT place, 0::bigint AS column_place, name
    FROM need
    WHERE schema IS NULL AND place NOT IN (SELECT place FROM placed)
    UNION ALL
    SELECT listed.place, listed.column_place, format('%s.%s', table_name, listed.name)
    FROM need_column AS listed
    JOIN placed USING (place)
    WHERE listed.is_shown
      AND NOT EXISTS (
          SELECT FROM found_column AS found WHERE found.place = listed.place AND found.name = listed.name
      )
), checked AS (
    SELECT
        'platform' AS part,
        ARRAY[0] AS place,
        'role' AS subject,
        CASE WHEN is_superuser OR owned.tables IS NOT NULL THEN 'advice' ELSE 'good' END AS level,
        CASE WHEN is_superuser THEN format('Role %s is a superuser, which is far more than is needed.', role)
            WHEN owned.tables IS NULL
            THEN format('Role %s is neither a superuser nor an owner of the platform''s tables.', role)
            ELSE format('Role %s owns %s, and so may change and drop them.', role, owned.tables) END AS finding,
        CASE WHEN is_superuser OR owned.tables IS NOT NULL
            THEN 'Connect as a role of its own that may log in and nothing else, and grant it what '
                '`restore-reconciler doctor` then lists.' END AS action
    FROM me, (
        SELECT string_agg(name, ', ' ORDER BY place) AS tables FROM placed WHERE part = 'platform' AND is_owner
    ) AS owned
    UNION ALL
    SELECT 'platform', ARRAY[1], 'platform', 'problem',
        format(
            'Database %s holds none of the platform''s tables (%s).',
            database,
            (SELECT string_agg(name, ', ' ORDER BY place) FROM need WHERE part = 'platform')
        ), $2
    FROM me
    WHERE NOT EXISTS (SELECT FROM placed WHERE part = 'platform')
    UNION ALL
    SELECT 'platform', ARRAY[2, place, kind, position], subject, 'problem', finding, action
    FROM finding
    WHERE EXISTS (SELECT FROM placed WHERE part = 'platform')
    UNION ALL
    SELECT 'platform', ARRAY[2, place], 'table ' || name, 'good',
        format(
            'All %s columns that are used are there, of types that are understood.',
            (SELECT count(*) FROM need_column AS listed WHERE listed.place = placed.place AND (is_read OR is_written))
        ), NULL
    FROM placed
    WHERE part = 'platform' AND place NOT IN (SELECT place FROM finding)
    UNION ALL
    -- No problem: whoever only sweeps needs no queue.
    SELECT 'queue', ARRAY[0], 'schema apalis',
        CASE WHEN is_there THEN 'good' ELSE 'advice' END,
        CASE WHEN is_there THEN 'The queue''s tables are there.'
            ELSE 'The queue''s tables are not there, so `restore-reconciler work` cannot work.' END,
        CASE WHEN NOT is_there THEN $3 END
    FROM (
        SELECT NOT EXISTS (
            SELECT FROM need WHERE part = 'queue' AND place NOT IN (SELECT place FROM placed)
        ) AS is_there
    ) AS queue
    UNION ALL
    SELECT part, ARRAY[3, row_number() OVER (PARTITION BY part ORDER BY schema COLLATE "C")],
        'privileges on schema ' || schema, 'problem', format('Role %s may not use the schema.', role),
        format('GRANT USAGE ON SCHEMA %s TO %s;', schema, role)
    FROM (SELECT DISTINCT part, schema FROM closed_schema WHERE part <> 'console') AS closed, me
    UNION ALL
    SELECT
        part,
        ARRAY[4, placed.place],
        'privileges on ' || CASE WHEN part = 'platform' THEN name ELSE qualified_name END,
        CASE WHEN lacks.what IS NULL THEN 'good' ELSE 'problem' END,
        CASE WHEN lacks.what IS NULL THEN 'What is needed is granted.'
            ELSE format('Role %s lacks %s.', role, lacks.what) END,
        lacks.statements
    FROM placed
    CROSS JOIN me
    CROSS JOIN LATERAL (
        SELECT string_agg(what, ' and ' ORDER BY position) AS what,
            string_agg(statement, E'\n' ORDER BY position) AS statements
        FROM lack
        WHERE lack.place = placed.place
    ) AS lacks
    WHERE part = 'platform' OR (part <> 'console' AND jsonb_array_length(privileges) > 0)
    UNION ALL
    SELECT
        'console',
        ARRAY[5],
        'console',
        CASE WHEN absent.names IS NULL AND lacks.what IS NULL THEN 'good' ELSE 'advice' END,
        CASE
            WHEN absent.names IS NOT NULL THEN format(
                '%s cannot be found; the console (`serve`) reads that, and workers do not need it.', absent.names
            )
            WHEN lacks.what IS NULL THEN format('Role %s may read what the console (`serve`) shows.', role)
            ELSE format(
                'Role %s lacks %s; only the console (`serve`) needs that, as the role that it connects as.',
                role, lacks.what
            )
        END,
        CASE WHEN absent.names IS NOT NULL THEN $2 ELSE lacks.statements END
    FROM me, (
        SELECT string_agg(name, ', ' ORDER BY place, column_place) AS names FROM console_absent
    ) AS absent, (
        SELECT string_agg(what, ' and ' ORDER BY kind, place, name) AS what,
            string_agg(statement, E'\n' ORDER BY kind, place, name) AS statements
        FROM console_lack
    ) AS lacks
    -- Without a platform, there is nothing to advise yet.
    WHERE EXISTS (SELECT FROM placed WHERE part = 'platform')
)
SELECT part, subject, level, finding, action
FROM checked
ORDER BY place
