-- discard_unreadable: marks jobs of ours as discarded whose rows the library that delivers jobs cannot read.
UPDATE Jobs
SET status = 'Killed', done_at = unixepoch('now')
WHERE job_type IN ('restore.execute', 'restore.sweep')
  AND status IN ('Pending', 'Queued', 'Running', 'Failed')
  AND (
      length(id) <> 26
      OR upper(id) GLOB '*[^0-9A-HJKMNP-TV-Z]*'
      OR id NOT GLOB '[0-7]*'
      OR typeof(run_at) <> 'integer'
      OR run_at < 0
  )
