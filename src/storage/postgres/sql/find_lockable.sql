-- find_lockable: those of some runs that can be locked now. Fails where somebody holds one of them.
SELECT id FROM operation_runs WHERE id = ANY ($1::bigint[]) FOR UPDATE NOWAIT
