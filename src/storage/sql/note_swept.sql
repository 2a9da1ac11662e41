-- note_swept: writes down that one of the $2 shards of a tick's sweep, as bit $3, was swept to its end. Both are zero where
-- nothing is due.
UPDATE reconciler.ticks SET shards = $2, swept = swept | $3 WHERE tick_at = $1
