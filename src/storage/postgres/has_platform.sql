-- has_platform: whether the search path leads to the platform's central table.
SELECT to_regclass('operation_runs') IS NOT NULL
