-- prune_ticks: removes ticks that were won long ago.
DELETE FROM reconciler.ticks WHERE tick_at < statement_timestamp() - make_interval(secs => $1)
