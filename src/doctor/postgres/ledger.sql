-- ledger: whether the ledger has months for the runs to come, and what stands outside of all.
WITH month AS (
    SELECT to_date(right(relation.relname, 7), 'YYYY_MM') AS first
    FROM pg_inherits JOIN pg_class AS relation ON relation.oid = inhrelid
    WHERE inhparent = to_regclass('reconciler.ledger') AND relation.relname ~ '^ledger_\d{4}_\d{2}$'
), bounds AS (
    SELECT
        min(first)::timestamp AT TIME ZONE 'UTC' AS lower,
        (max(first) + interval '1 month') AT TIME ZONE 'UTC' AS upper,
        count(*) FILTER (WHERE first > statement_timestamp() AT TIME ZONE 'UTC') AS ahead
    FROM month
), outside AS (
    SELECT
        EXISTS (SELECT FROM reconciler.ledger WHERE run_created_at < (SELECT lower FROM bounds)) AS are_before,
        EXISTS (SELECT FROM reconciler.ledger WHERE run_created_at >= (SELECT upper FROM bounds)) AS are_after
)
SELECT
    'ledger months' AS subject,
    CASE WHEN ahead < 2 OR are_after THEN 'advice' ELSE 'good' END AS level,
    format(
        'The ledger has partitions for %s months to come.%s%s', ahead,
        CASE WHEN are_before THEN ' Runs from before its first month stand together in ledger_default.' ELSE '' END,
        CASE WHEN are_after THEN ' Runs that were created after its last month stand in ledger_default, too.' ELSE '' END
    ) AS finding,
    CASE WHEN ahead < 2 OR are_after THEN
        'Run `restore-reconciler migrate`, which makes the next twelve; a worker makes them by itself where it may call '
        'reconciler.extend_ledger. A month of which runs are in ledger_default already stays there.'
    END AS action
FROM bounds, outside
