-- count_feed: since when the oldest verdict without a position waits, and the oldest one without a leaf has its position; and for
-- each consumer since when the oldest one has a position that it has not acknowledged.
SELECT NULL AS consumer, false AS is_placed, waiting_since AS since
FROM reconciler.feed_stall()
UNION ALL
SELECT NULL, true, (
    SELECT placed_at FROM reconciler.ledger_positions
    WHERE position = (SELECT coalesce(max(position), 0) + 1 FROM reconciler.ledger_leaves)
)
UNION ALL
SELECT consumer, true, (SELECT placed_at FROM reconciler.ledger_positions WHERE position = acknowledged + 1)
FROM reconciler.verdict_consumers
