-- now: the clock, to the millisecond, in microseconds since 1970.
SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
