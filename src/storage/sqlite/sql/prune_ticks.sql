-- prune_ticks: removes ticks that were won long ago, at most ?2.
DELETE FROM reconciler_ticks
WHERE tick_at IN (SELECT tick_at FROM reconciler_ticks WHERE tick_at < CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000 - ?1 LIMIT ?2)
