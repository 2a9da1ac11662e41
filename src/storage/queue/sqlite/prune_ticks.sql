-- prune_ticks: removes ticks that were won before ?1.
DELETE FROM reconciler_ticks WHERE tick_at < ?1
