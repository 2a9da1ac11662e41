-- next_awaited: how many microseconds until the next run's time comes.
SELECT (extract(epoch FROM least(
    (SELECT min(look_again_at) FROM reconciler.watch_list WHERE look_again_at > statement_timestamp()),
    (SELECT min(try_again_at) FROM reconciler.attempts
     WHERE dead_at IS NULL AND try_again_at > statement_timestamp())
) - statement_timestamp()) * 1000000)::bigint
