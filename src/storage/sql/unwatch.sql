-- unwatch: forgets runs that have their verdict.
DELETE FROM reconciler.watch_list WHERE operation_run_id = ANY ($1::bigint[])
