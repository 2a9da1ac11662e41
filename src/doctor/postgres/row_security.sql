-- row_security: whether rows that prove may be hidden from this role, by which policies or views, and whether it may lock
-- runs. $1: somebody vouches for what is shown.
WITH RECURSIVE me AS (
    SELECT quote_ident(current_user) AS role
), beneath AS (
    -- What a view of runs is made of, and asked for as whoever asks the view.
    SELECT to_regclass('operation_runs')::oid AS oid
    UNION
    SELECT dependency.refobjid
    FROM beneath
    JOIN pg_class AS view ON view.oid = beneath.oid
    JOIN pg_rewrite AS rule ON rule.ev_class = view.oid
    JOIN pg_depend AS dependency ON dependency.classid = 'pg_rewrite'::regclass AND dependency.objid = rule.oid
    WHERE dependency.refclassid = 'pg_class'::regclass
      AND view.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1,security_invoker=yes}'
), proof AS (
    SELECT
        listed.place,
        listed.name,
        relation.oid,
        format('%I.%I', namespace.nspname, relation.relname) AS qualified_name,
        -- What a run says of itself proves nothing, so that runs may be a view.
        relation.relkind = 'v' AND listed.place BETWEEN 2 AND 6 AS is_view,
        row_security_active(relation.oid) AS is_active
    FROM (
        SELECT place, name, to_regclass(name)::oid AS oid
        FROM (
            VALUES (1, 'operation_runs'), (2, 'restore_runs'), (3, 'evidence_snapshots'), (4, 'audit_logs'),
                (5, 'backup_sets'), (6, 'backup_items')
        ) AS table_of_proof (place, name)
        UNION ALL
        SELECT 100 + row_number() OVER (), 'beneath', oid FROM beneath WHERE oid <> to_regclass('operation_runs')::oid
    ) AS listed
    JOIN pg_class AS relation ON relation.oid = listed.oid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
), policy AS (
    SELECT
        proof.place,
        policy.polname,
        policy.polpermissive AS is_permissive,
        policy.polcmd IN ('*', 'r') AS is_for_reading,
        policy.polcmd IN ('*', 'w') AS is_for_locking,
        coalesce(pg_get_expr(policy.polqual, policy.polrelid), 'true') = 'true' AS is_open
    FROM proof
    JOIN pg_policy AS policy ON policy.polrelid = proof.oid
    WHERE EXISTS (SELECT FROM unnest(policy.polroles) AS named (role) WHERE role = 0 OR pg_has_role(role, 'USAGE'))
), judged AS (
    SELECT
        proof.place,
        proof.name,
        proof.qualified_name,
        coalesce('policies ' || string_agg(quote_ident(polname), ', ' ORDER BY polname), 'no policy') AS policies,
        -- A policy for another command hides nothing.
        string_agg(quote_ident(polname), ', ' ORDER BY polname)
            FILTER (WHERE NOT is_permissive AND NOT is_open AND is_for_reading) AS closing,
        string_agg(quote_ident(polname), ', ' ORDER BY polname)
            FILTER (WHERE NOT is_permissive AND NOT is_open AND (is_for_reading OR is_for_locking)) AS closing_locks,
        coalesce(bool_or(is_open AND is_permissive AND is_for_reading), false)
            AND NOT coalesce(bool_or(NOT is_open AND NOT is_permissive AND is_for_reading), false) AS shows_all,
        coalesce(bool_or(is_open AND is_permissive AND is_for_locking), false)
            AND NOT coalesce(bool_or(NOT is_open AND NOT is_permissive AND is_for_locking), false) AS locks_all,
        coalesce(bool_or(is_permissive AND is_for_locking), false) AS locks_any
    FROM proof
    LEFT JOIN policy USING (place)
    WHERE proof.is_active
    GROUP BY proof.place, proof.name, proof.qualified_name
), opening AS (
    SELECT
        place,
        CASE WHEN closing IS NULL
            THEN format('CREATE POLICY restore_reconciler ON %s TO %s USING (true);', qualified_name, role)
            ELSE format(
                'ALTER ROLE %s BYPASSRLS; -- as a superuser: no other policy opens what %s, being restrictive, closes',
                role, closing
            ) END AS statement
    FROM judged, me
), checked AS (
    SELECT
        place,
        'row security of ' || name AS subject,
        CASE WHEN NOT $1 THEN 'problem' WHEN shows_all THEN 'good' ELSE 'advice' END AS level,
        CASE WHEN NOT $1
            THEN format(
                'Row security applies to role %s (%s) and may hide rows, and with them contrary proof, so nothing is settled.',
                role, policies
            )
            WHEN shows_all THEN format('Row security applies to role %s (%s) and shows it every row.', role, policies)
            ELSE format(
                'The configuration vouches for row security, and %s may hide rows of it from role %s.', policies, role
            ) END AS finding,
        CASE WHEN $1 AND shows_all THEN NULL
            WHEN $1 THEN opening.statement
            WHEN shows_all
            THEN 'Write row_security = "trusted" into [database] of the configuration: a policy shows every row.'
            ELSE format(
                E'%s\n-- Then write row_security = "trusted" into [database] of the configuration. '
                'Or, instead of both and as a superuser: ALTER ROLE %s BYPASSRLS;',
                opening.statement, role
            ) END AS action
    FROM judged
    JOIN opening USING (place)
    CROSS JOIN me
    WHERE name <> 'beneath'
    UNION ALL
    -- Nothing is proven by them, and nobody judges a run that is not seen.
    SELECT
        place,
        'row security beneath operation_runs',
        'advice',
        format('Row security of %s (%s) may hide runs from role %s, which are then never judged.', qualified_name, policies, role),
        opening.statement
    FROM judged
    JOIN opening USING (place)
    CROSS JOIN me
    WHERE name = 'beneath' AND NOT shows_all
    UNION ALL
    -- A run that is seen and may not be locked cannot be closed.
    SELECT
        10,
        'locks on operation_runs',
        CASE WHEN locks_any AND closing_locks IS NULL THEN 'advice' ELSE 'problem' END,
        CASE WHEN locks_any
            THEN format('Verdicts of runs that its policies for UPDATE (%s) hide from role %s are refused.', policies, role)
            ELSE format('No policy of it lets role %s update runs, so every verdict is refused.', role) END,
        CASE WHEN closing_locks IS NULL
            THEN format('CREATE POLICY restore_reconciler_update ON %s FOR UPDATE TO %s USING (true);', qualified_name, role)
            ELSE format(
                'ALTER ROLE %s BYPASSRLS; -- as a superuser: no other policy opens what %s, being restrictive, closes',
                role, closing_locks
            ) END
    FROM judged
    CROSS JOIN me
    WHERE name IN ('operation_runs', 'beneath') AND NOT locks_all
    UNION ALL
    SELECT
        20 + place,
        'view ' || name,
        CASE WHEN $1 THEN 'good' ELSE 'problem' END,
        CASE WHEN $1 THEN format('%s is a view, and the configuration vouches that it shows every row.', qualified_name)
            ELSE format(
                '%s is a view, which may hide rows, and with them contrary proof, so nothing is settled.', qualified_name
            ) END,
        CASE WHEN NOT $1 THEN 'Have the search path lead to the table itself; or, where the view shows every row, write '
            'row_security = "trusted" into [database] of the configuration.' END
    FROM proof
    WHERE is_view
)
SELECT subject, level, finding, action
FROM (
    SELECT * FROM checked
    UNION ALL
    SELECT 0, 'row security', 'good',
        format('No row security applies to role %s on tables that proof is read from.', role), NULL
    FROM me
    WHERE NOT EXISTS (SELECT FROM checked) AND EXISTS (SELECT FROM proof)
) AS listed
ORDER BY place
