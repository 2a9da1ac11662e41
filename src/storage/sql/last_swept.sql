-- last_swept: the latest tick before $1 whose sweep has ended.
SELECT tick_at
FROM reconciler.ticks
WHERE tick_at < $1 AND swept = (1::bigint << shards) - 1
ORDER BY tick_at DESC
LIMIT 1
