-- load_tree_state: whose tree it is, how many positions and leaves there are, for how many microseconds the first position after
-- them has waited for its leaf, and the latest checkpoint, or none of no leaves; and whether the next is due: there are leaves after it, and it is $1 microseconds old, or they are $2.
WITH found AS MATERIALIZED (
    SELECT
        (SELECT coalesce(max(position), 0) FROM reconciler.ledger_positions) AS positions,
        (SELECT coalesce(max(position), 0) FROM reconciler.ledger_leaves) AS leaves
)
SELECT
    own.install_id::text AS install_id, found.positions, found.leaves,
    coalesce(
        (
            SELECT extract(epoch FROM statement_timestamp() - waiting.placed_at) * 1000000
            FROM reconciler.ledger_positions AS waiting
            WHERE waiting.position = found.leaves + 1
        ),
        0
    )::bigint AS waited,
    coalesce(latest.size, 0) AS size, coalesce(encode(latest.edge, 'hex'), '') AS edge,
    found.leaves > coalesce(latest.size, 0)
        AND (
            found.leaves - coalesce(latest.size, 0) >= $2::bigint
            OR coalesce(latest.made_at <= statement_timestamp() - $1::bigint * interval '1 microsecond', true)
        ) AS is_due
FROM reconciler.platform AS own
CROSS JOIN found
LEFT JOIN (SELECT * FROM reconciler.checkpoints ORDER BY size DESC LIMIT 1) AS latest ON true
