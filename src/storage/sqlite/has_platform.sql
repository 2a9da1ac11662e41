-- has_platform: whether the file holds the platform's central table.
SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'operation_runs')
