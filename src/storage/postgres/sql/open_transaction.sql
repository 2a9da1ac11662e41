-- open_transaction: sets this transaction's time zone and limits, reads the clock, and sees what may swallow a write
-- without a word.
-- Plans are made for the batch at hand: a generic one expects arrays of ten, and walks tables that
-- have no index once for each element.
SELECT
    statement_timestamp() AS as_of,
    set_config('TimeZone', 'UTC', true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
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
    coalesce(row_security_active(to_regclass('operation_runs')::oid), false) AS may_hide
