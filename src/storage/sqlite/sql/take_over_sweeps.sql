-- take_over_sweeps: the runs that dead passes had in hand and that are still open; takes them from those.
-- A pass is dead whose own tick and shard are worked on again, or that was silent for too long.
SELECT run.id
FROM operation_runs AS run
WHERE run.id IN (
    SELECT page.value
    FROM reconciler_sweeps AS sweep
    JOIN json_each(sweep.in_hand) AS page
    WHERE sweep.in_hand <> '[]'
      AND sweep.ended_at IS NULL
      AND ((sweep.tick_at = ?1 AND sweep.shard = ?2) OR sweep.beat_at < CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000 - ?3)
)
  AND run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
ORDER BY run.id;
UPDATE reconciler_sweeps
SET in_hand = '[]'
WHERE in_hand <> '[]'
  AND ended_at IS NULL
  AND ((tick_at = ?1 AND shard = ?2) OR beat_at < CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000 - ?3)
