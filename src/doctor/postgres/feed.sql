-- feed: whether the platform hears of verdicts, or who keeps them waiting for their positions; and whether they get their leaves.
SELECT
    'verdict feed' AS subject,
    CASE WHEN is_waiting THEN 'advice' ELSE 'good' END AS level,
    CASE
        WHEN NOT is_waiting THEN 'Verdicts get their positions.'
        ELSE format(
            'The platform has not heard of verdicts since %s: %s.',
            to_char(waiting_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
            coalesce(held_up_by || ' is in a transaction that began before them', 'no worker gives them their positions')
        )
    END AS finding,
    CASE
        WHEN held_up_by IS NOT NULL THEN 'Have it commit or roll back. Nothing is lost: the platform hears of them at once then.'
        WHEN is_waiting THEN 'Run `restore-reconciler work`.'
    END AS action
FROM reconciler.feed_stall()
CROSS JOIN LATERAL (
    SELECT held_up_by IS NOT NULL OR coalesce(waiting_since < statement_timestamp() - interval '1 minute', false) AS is_waiting
) AS state
UNION ALL
SELECT
    'ledger tree',
    CASE WHEN is_waiting THEN 'advice' ELSE 'good' END,
    CASE
        WHEN NOT is_waiting THEN 'Verdicts get their leaves.'
        ELSE format(
            'Verdicts from position %s on wait for their leaves since %s: no checkpoint covers them.',
            first_waiting.position, to_char(placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
        )
    END,
    CASE WHEN is_waiting THEN 'Run `restore-reconciler work`; where it runs, its log says what is in the way.' END
FROM (SELECT coalesce(max(position), 0) + 1 AS position FROM reconciler.ledger_leaves) AS first_waiting
LEFT JOIN reconciler.ledger_positions AS placed ON placed.position = first_waiting.position
CROSS JOIN LATERAL (
    SELECT coalesce(placed_at < statement_timestamp() - interval '1 minute', false) AS is_waiting
) AS late
