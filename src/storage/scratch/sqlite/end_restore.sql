-- end_restore: writes a restore's row as its end does, documents included, and leaves in it what was planted.
UPDATE restore_runs
SET status = status, results = results || '', metadata = metadata || '', completed_at = completed_at,
    updated_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
WHERE id = ?1
