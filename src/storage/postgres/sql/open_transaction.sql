-- open_transaction: sets this transaction's time zone and limits, reads the clock, asks which tables may hide rows, whose
-- they are and which migrations our schema has, and sees what may swallow a write without a word.
-- Plans are made for the batch at hand: a generic one expects arrays of ten, and walks tables that
-- have no index once for each element.
SELECT
    statement_timestamp() AS as_of,
    statement_timestamp() AS now,
    false AS is_standby,
    -- Where policies apply to this role, or a view stands in a table's place, rows may be missing unseen. Runs may be a
    -- view: what they say of themselves proves nothing.
    (
        SELECT coalesce(string_agg(relation.relname, ', ' ORDER BY relation.relname), '')
        FROM pg_class AS relation
        WHERE relation.oid IN (
                to_regclass('operation_runs'), to_regclass('restore_runs'), to_regclass('evidence_snapshots'),
                to_regclass('audit_logs'), to_regclass('backup_sets'), to_regclass('backup_items')
            )
          AND (
              row_security_active(relation.oid)
              OR relation.relkind NOT IN ('r', 'p') AND relation.relname <> 'operation_runs'
          )
    ) AS hides_rows_of,
    set_config('TimeZone', 'UTC', true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
    -- A plan with the ledger's months in it looks dear, and compiling it would take longer than running it.
    set_config('jit', 'off', true),
    -- A process that was suspended in the middle must not keep the platform from its own rows.
    set_config('idle_in_transaction_session_timeout', '15s', true),
    set_config('statement_timeout', $1, true),
    set_config('lock_timeout', $2, true),
    -- Ordinary tables keep what they are given, or say why not.
    EXISTS (
        SELECT
        FROM pg_class AS class
        WHERE class.oid IN (to_regclass('operation_runs'), to_regclass('audit_logs'))
          AND (
              class.relkind <> 'r' OR class.relhassubclass OR class.relhasrules OR class.relrowsecurity
              OR EXISTS (
                  SELECT FROM pg_trigger AS trigger WHERE trigger.tgrelid = class.oid AND NOT trigger.tgisinternal
              )
          )
    ) AS may_swallow,
    coalesce(row_security_active(to_regclass('operation_runs')::oid), false) AS may_hide,
    current_setting('server_encoding') = 'UTF8' AS is_unicode,
    (SELECT schema_name FROM reconciler.platform) AS bound_schema,
    (
        SELECT namespace.nspname::text
        FROM pg_class AS runs
        JOIN pg_namespace AS namespace ON namespace.oid = runs.relnamespace
        WHERE runs.oid = to_regclass('operation_runs')
    ) AS found_schema,
    (SELECT coalesce(string_agg(version::text, ' '), '') FROM reconciler.migrations WHERE success) AS migrations
