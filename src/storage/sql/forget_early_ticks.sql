-- forget_early_ticks: what is won before it comes was won by another clock: that of a host, which was ahead, or this
-- database's own, before it was set back or a standby took its place. It is won again. The clock is read here, and not
-- before: what others win meanwhile, as it comes, stays.
DELETE FROM reconciler.ticks
WHERE tick_at > statement_timestamp() + interval '1 s' OR (tick_at = $1 AND won_at < tick_at - interval '1 s')
