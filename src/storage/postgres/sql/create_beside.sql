-- create_beside: makes a schema the one in which this transaction creates what has no schema named, and lets it take the
-- time that it needs.
SELECT
    set_config('search_path', $1, true),
    set_config('statement_timeout', '0', true),
    set_config('lock_timeout', '0', true)
