-- next_awaited: how many microseconds after ?1 the next run's time comes.
SELECT min(moment) - ?1
FROM (
    SELECT min(look_again_at) AS moment FROM reconciler_watch_list WHERE look_again_at > ?1
    UNION ALL
    SELECT min(try_again_at) FROM reconciler_attempts WHERE dead_at IS NULL AND try_again_at > ?1
)
