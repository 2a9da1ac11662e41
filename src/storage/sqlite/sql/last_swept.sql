-- last_swept: the latest tick before ?1 whose sweep has ended.
SELECT tick_at FROM reconciler_ticks WHERE tick_at < ?1 AND swept = (1 << shards) - 1 ORDER BY tick_at DESC LIMIT 1
