-- purpose: who asks, and what that role is for, as far as it can be told from what it may do once we are installed.
WITH own AS (
    SELECT
        bool_or(pg_has_role(relowner, 'USAGE')) AS is_owner,
        bool_or(has_table_privilege(relation.oid, 'INSERT')) AS may_write,
        bool_or(has_table_privilege(relation.oid, 'SELECT')) AS may_read
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname = 'reconciler' AND relation.relname = 'ledger'
), called AS (
    SELECT bool_or(has_function_privilege(procedure.oid, 'EXECUTE')) AS may_ask
    FROM pg_proc AS procedure
    JOIN pg_namespace AS namespace ON namespace.oid = procedure.pronamespace
    WHERE namespace.nspname = 'reconciler' AND procedure.proname = 'request'
), told AS (
    SELECT CASE
        WHEN rolsuper OR (may_write AND NOT is_owner) THEN 'worker'
        -- One role for both is judged by the one that needs more.
        WHEN is_owner AND has_any_column_privilege($1::bigint::oid, 'UPDATE') THEN 'worker'
        WHEN is_owner THEN 'migrator'
        -- Whoever makes runs is the application; a worker only closes them.
        WHEN may_ask AND may_read IS NOT TRUE AND has_any_column_privilege($1::bigint::oid, 'INSERT') THEN 'platform'
        WHEN has_any_column_privilege($1::bigint::oid, 'UPDATE') THEN 'worker'
        WHEN may_read THEN 'console'
        WHEN may_ask THEN 'platform'
    END AS purpose
    FROM own, called, pg_roles
    WHERE rolname = current_user
)
SELECT
    current_user::text AS name,
    quote_ident(current_user) AS quoted,
    coalesce(purpose, 'worker') AS purpose,
    purpose IS NULL AND may_read IS NOT NULL AS is_guessed
FROM told, own
