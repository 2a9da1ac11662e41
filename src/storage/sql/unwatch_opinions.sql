-- unwatch_opinions: forgets that these runs were open, or that their opinion may change.
DELETE FROM reconciler.opinion_watch WHERE operation_run_id = ANY ($1::bigint[])
