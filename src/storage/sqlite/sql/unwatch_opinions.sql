-- unwatch_opinions: forgets that these runs were open, or that their opinion may change.
DELETE FROM reconciler_opinion_watch WHERE operation_run_id IN (SELECT value FROM json_each(?1))
