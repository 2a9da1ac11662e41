-- prune_ticks: removes ticks that were won before ?1, at most ?2.
DELETE FROM reconciler_ticks
WHERE tick_at IN (SELECT tick_at FROM reconciler_ticks WHERE tick_at < ?1 LIMIT ?2)
