-- forget_early_tick: a process whose clock was ahead won the tick before it came; it is won again.
DELETE FROM reconciler_ticks WHERE tick_at = ?1 AND won_at < tick_at - 1000000
