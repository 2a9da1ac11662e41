-- drop_lock_index: takes away the library's index of jobs by worker. A worker's jobs are all that it ever took;
-- acknowledging by that index reads them all once per batch, by the primary key only those of the batch.
DROP INDEX IF EXISTS LIdx
