-- has_queue: whether the tables of the library that delivers jobs are there.
SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'table' AND name IN ('Jobs', 'Workers')
