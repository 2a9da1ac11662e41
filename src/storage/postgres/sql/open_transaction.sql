-- open_transaction: sets this transaction's time zone and limits, and reads the clock.
-- Plans are made for the batch at hand: a generic one expects arrays of ten, and walks tables that
-- have no index once for each element.
SELECT
    statement_timestamp() AS as_of,
    set_config('TimeZone', 'UTC', true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
    -- A process that was suspended in the middle must not keep the platform from its own rows.
    set_config('idle_in_transaction_session_timeout', '15s', true),
    set_config('statement_timeout', $1, true),
    set_config('lock_timeout', $2, true)
