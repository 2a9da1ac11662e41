-- prune_ticks: removes ticks that were won long ago, at most $2.
DELETE FROM reconciler.ticks
WHERE tick_at IN (
    SELECT tick_at
    FROM reconciler.ticks
    WHERE tick_at < statement_timestamp() - make_interval(secs => $1)
    LIMIT $2
)
