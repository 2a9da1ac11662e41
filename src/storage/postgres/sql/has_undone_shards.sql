-- has_undone_shards: whether a shard of an earlier sweep is still not done, or was given up since $2.
SELECT EXISTS (
    SELECT 1
    FROM apalis.jobs
    WHERE job_type = 'restore.sweep'
      AND run_at < $1
      AND (
          status IN ('Pending', 'Queued', 'Running')
          OR (status IN ('Killed', 'Failed') AND done_at >= $2)
      )
)
