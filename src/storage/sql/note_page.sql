-- note_page: notes which page a pass is about to settle.
UPDATE reconciler.sweeps
SET in_hand = $2, beat_at = statement_timestamp()
WHERE id = $1
