-- forget_early_tick: a host whose clock was ahead won the tick before it came; it is won again.
DELETE FROM reconciler.ticks WHERE tick_at = $1 AND won_at < tick_at - interval '1 s'
