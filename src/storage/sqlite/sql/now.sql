-- now: the clock, to the millisecond, in microseconds since 1970, and whether a trigger may swallow what is written.
SELECT
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000,
    EXISTS (
        SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('operation_runs', 'audit_logs')
    )
