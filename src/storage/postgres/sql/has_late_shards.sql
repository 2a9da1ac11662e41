-- has_late_shards: whether a shard of an earlier sweep is still not done.
SELECT EXISTS (
    SELECT 1
    FROM apalis.jobs
    WHERE job_type = 'restore.sweep'
      AND status IN ('Pending', 'Queued', 'Running')
      AND run_at < $1
)
