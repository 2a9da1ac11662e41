-- note_attempt: remembers that a try begins, or that the run is a dead letter.
UPDATE reconciler.attempts
SET tries         = $2,
    worker        = $3,
    last_tried_at = CASE WHEN $5 THEN last_tried_at ELSE $6 END,
    try_again_at  = $4,
    dead_at       = CASE WHEN $5 THEN coalesce(dead_at, $6) END
WHERE operation_run_id = $1
