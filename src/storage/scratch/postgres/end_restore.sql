-- end_restore: writes a restore's row as its end does, documents included, and leaves in it what was planted.
UPDATE restore_runs
SET status = status, results = results::text::json, metadata = metadata::text::json,
    completed_at = completed_at, updated_at = localtimestamp
WHERE id = $1
