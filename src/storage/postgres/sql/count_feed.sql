-- count_feed: since when the oldest verdict without a position waits, and for each consumer since when the oldest one has a
-- position that it has not acknowledged.
SELECT NULL AS consumer, waiting_since AS since
FROM reconciler.feed_stall()
UNION ALL
SELECT consumer, (SELECT placed_at FROM reconciler.ledger_positions WHERE position = acknowledged + 1)
FROM reconciler.verdict_consumers
