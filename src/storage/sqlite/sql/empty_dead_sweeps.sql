-- empty_dead_sweeps: takes from dead passes what they had in hand.
UPDATE reconciler_sweeps
SET in_hand = '[]'
WHERE in_hand <> '[]'
  AND ended_at IS NULL
  AND ((tick_at = ?1 AND shard = ?2) OR beat_at < CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000 - ?3)
