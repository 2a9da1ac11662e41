-- prune_ticks: removes ticks that were won long ago, at most $2.
DELETE FROM reconciler.ticks
WHERE tick_at IN (
    SELECT tick_at
    FROM reconciler.ticks
    WHERE tick_at < statement_timestamp() - $1::bigint * interval '1 microsecond'
    LIMIT $2
)
