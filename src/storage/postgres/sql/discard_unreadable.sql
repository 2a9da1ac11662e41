-- discard_unreadable: marks jobs of ours as discarded whose rows the library that delivers jobs cannot read.
UPDATE apalis.jobs
SET status = 'Killed', done_at = statement_timestamp()
WHERE job_type IN ('restore.execute', 'restore.sweep')
  AND status IN ('Pending', 'Queued', 'Running', 'Failed')
  AND (
      id !~* '^[0-7][0-9a-hjkmnp-tv-z]{25}$'
      OR NOT (run_at >= '1970-01-01' AND run_at < '9999-01-01')
      OR (lock_at IS NOT NULL AND NOT (lock_at >= '1970-01-01' AND lock_at < '9999-01-01'))
      OR EXISTS (SELECT 1 FROM each(metadata) AS entry WHERE entry.value IS NULL)
  )
