-- forget_early_ticks: what is won before it comes was won by another clock, or before this one was set back. It is won again.
DELETE FROM reconciler_ticks
WHERE tick_at > (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) + 1000) * 1000
   OR (tick_at = ?1 AND won_at < tick_at - 1000000)
