-- note_page: notes which page a pass is about to settle.
UPDATE reconciler_sweeps
SET in_hand = ?2, beat_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
WHERE id = ?1
