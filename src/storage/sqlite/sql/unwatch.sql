-- unwatch: forgets runs that have their verdict.
DELETE FROM reconciler_watch_list WHERE operation_run_id IN (SELECT value FROM json_each(?1))
