-- rights: what a purpose needs, each right on the object that it is about, and what of it a role does not have. A role
-- that is not there has nothing; what is not there cannot be granted, and is named instead.
WITH RECURSIVE grantee AS (
    -- Nobody in particular is whoever asks.
    SELECT given AS role_name, quote_ident(given) AS role, (SELECT oid FROM pg_roles WHERE rolname = given) AS oid
    FROM (SELECT coalesce($2, current_user) AS given) AS named
), need AS (
    SELECT *
    FROM ROWS FROM (
        jsonb_to_recordset($1::jsonb)
            AS (part text, kind text, oid bigint, name text, privileges text[], columns text[])
    ) WITH ORDINALITY AS need (part, kind, oid, name, privileges, columns, place)
), placed AS (
    SELECT
        need.*, relation.relnamespace, relation.relowner,
        format('%I.%I', namespace.nspname, relation.relname) AS target,
        CASE WHEN need.part IN ('platform', 'console')
            THEN need.name ELSE format('%I.%I', namespace.nspname, relation.relname) END AS subject
    FROM need
    JOIN pg_class AS relation ON relation.oid = need.oid::oid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
), beneath AS (
    -- What a row goes to that is added: the table, or those that a view is made of.
    SELECT place, oid::oid AS oid FROM placed WHERE privileges = '{INSERT}'
    UNION
    SELECT beneath.place, dependency.refobjid
    FROM beneath
    JOIN pg_rewrite AS rule ON rule.ev_class = beneath.oid
    JOIN pg_depend AS dependency ON dependency.classid = 'pg_rewrite'::regclass AND dependency.objid = rule.oid
    WHERE dependency.refclassid = 'pg_class'::regclass
), called AS (
    SELECT need.*, procedure.oid AS procedure, procedure.pronamespace, procedure.proowner
    FROM need
    JOIN pg_namespace AS own ON own.nspname = 'reconciler'
    JOIN pg_proc AS procedure ON procedure.pronamespace = own.oid AND procedure.proname = need.name
    WHERE need.kind = 'function'
), extension AS (
    SELECT need.*, extnamespace, nspname
    FROM need
    JOIN pg_extension ON extname = need.name
    JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE need.kind = 'extension'
), path AS (
    -- The one that the role will have: its own, the database's, everybody's, or the server's. Whoever has one of his own
    -- does not see the server's.
    SELECT schemas, is_known
    FROM (
        SELECT 1 AS nearness, current_setting('search_path') AS schemas, true AS is_known
        FROM grantee
        WHERE role_name = current_user
        UNION ALL
        (
            SELECT 2, substr(setting, length('search_path=') + 1), true
            FROM grantee, pg_db_role_setting, unnest(setconfig) AS setting
            WHERE setting LIKE 'search\_path=%'
              AND setrole IN (0, grantee.oid)
              AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC
            LIMIT 1
        )
        UNION ALL
        SELECT 3, CASE WHEN is_servers THEN setting ELSE '"$user"' END, is_servers
        FROM pg_settings,
            LATERAL (
                SELECT source IN ('default', 'configuration file', 'command line', 'environment variable') AS is_servers
            ) AS told
        WHERE name = 'search_path'
    ) AS any_of
    ORDER BY nearness
    LIMIT 1
), off_path AS (
    SELECT
        string_agg(quote_ident(nspname), ' and ' ORDER BY nspname) AS missing,
        concat_ws(
            ', ',
            string_agg(quote_ident(nspname), ', ' ORDER BY nspname) FILTER (WHERE is_platform),
            min(nullif(nullif(path.schemas, ''), '""')),
            string_agg(quote_ident(nspname), ', ' ORDER BY nspname) FILTER (WHERE NOT is_platform)
        ) AS wanted
    FROM (
        SELECT space, bool_or(is_platform) AS is_platform
        FROM (
            SELECT relnamespace AS space, true AS is_platform FROM placed WHERE part IN ('platform', 'console')
            UNION ALL
            SELECT extnamespace, false FROM extension
        ) AS each_one
        GROUP BY space
    ) AS needed
    JOIN pg_namespace ON pg_namespace.oid = needed.space
    CROSS JOIN path
    WHERE NOT path.is_known OR NOT EXISTS (
        SELECT FROM unnest(string_to_array(path.schemas, ',')) AS listed (schema)
        WHERE trim(BOTH ' "' FROM listed.schema) = nspname
           OR (trim(BOTH ' "' FROM listed.schema) = '$user' AND nspname = (SELECT role_name FROM grantee))
    )
), entered AS (
    SELECT DISTINCT ON (space) space, part, place
    FROM (
        SELECT relnamespace AS space, part, place FROM placed
        UNION ALL
        SELECT pronamespace, part, place FROM called
        UNION ALL
        SELECT extnamespace, part, place FROM extension
    ) AS each_one
    ORDER BY space, place
), privilege AS (
    SELECT place, 0 AS step, 'DATABASE ' || quote_ident(current_database()) AS target, part,
        'database ' || quote_ident(current_database()) AS subject, datdba AS owner,
        NULL AS column_name, privilege, position,
        has_database_privilege(grantee.oid, pg_database.oid, privilege) AS is_granted
    FROM need, grantee, pg_database, unnest(privileges) WITH ORDINALITY AS listed (privilege, position)
    WHERE kind = 'database' AND datname = current_database()
    UNION ALL
    SELECT -1, -1, 'SCHEMA ' || quote_ident(nspname), part, 'schema ' || quote_ident(nspname),
        -- Which in each database is whoever owns that.
        CASE WHEN nspowner = 'pg_database_owner'::regrole
            THEN (SELECT datdba FROM pg_database WHERE datname = current_database()) ELSE nspowner END,
        NULL, 'USAGE', 1, has_schema_privilege(grantee.oid, entered.space, 'USAGE')
    FROM entered
    JOIN pg_namespace ON pg_namespace.oid = entered.space
    CROSS JOIN grantee
    UNION ALL
    SELECT placed.place, 1, target, part, subject, relowner, quote_ident(attname), privileges[1], position,
        has_column_privilege(grantee.oid, attrelid, attnum, privileges[1])
    FROM placed
    CROSS JOIN grantee
    CROSS JOIN LATERAL unnest(columns) WITH ORDINALITY AS listed (name, position)
    JOIN pg_attribute ON attrelid = placed.oid::oid AND attname = listed.name AND NOT attisdropped
    UNION ALL
    SELECT place, 1, target, part, subject, relowner, NULL, privilege, position,
        has_table_privilege(grantee.oid, placed.oid::oid, privilege)
    FROM placed, grantee, unnest(privileges) WITH ORDINALITY AS listed (privilege, position)
    WHERE columns = '{}'
    UNION ALL
    -- The sequence behind `serial` is used by every insert that does not name the column, and needs a privilege of its
    -- own; the one of an identity does not.
    -- For a view it is that of its table, on behalf of whoever adds to the view.
    SELECT DISTINCT placed.place, 2, format('SEQUENCE %I.%I', namespace.nspname, sequence.relname), part, subject,
        sequence.relowner, NULL, 'USAGE', 1,
        has_sequence_privilege(grantee.oid, sequence.oid, 'USAGE')
            OR has_sequence_privilege(grantee.oid, sequence.oid, 'UPDATE')
    FROM placed
    JOIN beneath USING (place)
    CROSS JOIN grantee
    JOIN pg_attrdef AS expression ON expression.adrelid = beneath.oid
    JOIN pg_depend AS dependency
      ON dependency.classid = 'pg_attrdef'::regclass
     AND dependency.objid = expression.oid
     AND dependency.refclassid = 'pg_class'::regclass
    JOIN pg_class AS sequence ON sequence.oid = dependency.refobjid AND sequence.relkind = 'S'
    JOIN pg_namespace AS namespace ON namespace.oid = sequence.relnamespace
    UNION ALL
    SELECT place, 3, 'FUNCTION reconciler.' || quote_ident(name), part, 'reconciler.' || name, proowner,
        NULL, 'EXECUTE', 1, has_function_privilege(grantee.oid, procedure, 'EXECUTE')
    FROM called, grantee
), granted AS (
    SELECT
        place, step, target, part, subject, owner,
        string_agg(coalesce(column_name, privilege), ', ' ORDER BY position) AS wanted,
        string_agg(coalesce(column_name, privilege), ', ' ORDER BY position)
            FILTER (WHERE is_granted IS NOT TRUE) AS lacking,
        count(*) FILTER (WHERE is_granted IS NOT TRUE) AS lacking_count,
        CASE WHEN bool_and(column_name IS NOT NULL) THEN min(privilege) END AS of_columns
    FROM privilege
    GROUP BY place, step, target, part, subject, owner
)
SELECT
    part, subject, quote_ident(pg_get_userbyid(owner)) AS owner,
    CASE WHEN of_columns IS NULL THEN format('GRANT %s ON %s TO %s;', wanted, target, role)
        ELSE format('GRANT %s (%s) ON %s TO %s;', of_columns, wanted, target, role) END AS statement,
    CASE WHEN lacking IS NULL THEN NULL
        WHEN of_columns IS NULL THEN format('GRANT %s ON %s TO %s;', lacking, target, role)
        ELSE format('GRANT %s (%s) ON %s TO %s;', of_columns, lacking, target, role) END AS missing,
    CASE WHEN lacking IS NULL THEN NULL
        WHEN step = 2 THEN 'USAGE of ' || lower(split_part(target, ' ', 1)) || substr(target, 9)
        WHEN of_columns IS NULL THEN lacking
        ELSE format('%s on %s column(s)', of_columns, lacking_count) END AS lack,
    place, step
FROM granted, grantee
UNION ALL
-- Our statements name the platform's tables without their schema, and the library that delivers jobs names hstore so.
SELECT
    'platform', 'search path', role,
    format('ALTER ROLE %s IN DATABASE %I SET search_path = %s;', role, current_database(), wanted),
    format('ALTER ROLE %s IN DATABASE %I SET search_path = %s;', role, current_database(), wanted),
    'a search path that leads to ' || missing,
    1000, 4
FROM off_path, grantee
WHERE missing IS NOT NULL
ORDER BY place, step, statement
