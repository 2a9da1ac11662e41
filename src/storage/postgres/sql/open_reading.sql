-- open_reading: sets this transaction's time zone and limits, reads the clock, and asks which tables may hide rows. Nothing
-- of ours need be there. For the plans see open_transaction.
SELECT
    -- A standby knows nothing later than the last commit that it replayed, or than where it began.
    CASE
        WHEN pg_is_in_recovery()
        THEN coalesce(pg_last_xact_replay_timestamp(), (SELECT checkpoint_time FROM pg_control_checkpoint()))
        ELSE statement_timestamp()
    END AS as_of,
    pg_is_in_recovery() AS is_standby,
    statement_timestamp() AS now,
    -- As in open_transaction.
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
    set_config('jit', 'off', true),
    set_config('idle_in_transaction_session_timeout', '15s', true),
    set_config('statement_timeout', $1, true),
    set_config('lock_timeout', $2, true)
