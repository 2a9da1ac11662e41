-- neighbours: how many of the latest runs are called nearly as those that are judged, and are therefore never looked at.
-- Only words that are known are shown: anything may stand in a text that is none of them.
WITH latest AS (
    SELECT type::text AS type, coalesce(status::text, '') AS status
    FROM operation_runs
    ORDER BY id DESC
    LIMIT 10000
), odd AS (
    SELECT 1 AS place,
        CASE WHEN lower(status) IN (
            'queued', 'running', 'completed', 'pending', 'processing', 'in_progress', 'started', 'done', 'finished',
            'succeeded', 'success', 'failed', 'error', 'cancelled', 'canceled', 'aborted', 'partial', 'paused'
        ) THEN format('status %L', status) ELSE 'another status' END AS said
    FROM latest
    WHERE type = 'restore.execute' AND status NOT IN ('queued', 'running', 'completed')
    UNION ALL
    SELECT 2, format('type %L', type)
    FROM latest
    WHERE type <> 'restore.execute' AND lower(translate(type, ' ._:/-', '')) IN ('restoreexecute', 'restoreexecution')
), counted AS (
    SELECT place, said, count(*) AS runs
    FROM odd
    GROUP BY place, said
    ORDER BY place, runs DESC, said
    LIMIT 10
)
SELECT
    'neighbours' AS subject,
    CASE WHEN count(*) = 0 THEN 'good' ELSE 'advice' END AS level,
    CASE WHEN count(*) = 0 THEN 'No run of late has a status or a type that is nearly one that is judged.'
        ELSE format(
            'Of the latest 10000 runs, some are called so that they are never looked at: %s.',
            string_agg(format('%s (%s)', said, runs), ', ' ORDER BY place, runs DESC, said)
        ) END AS finding,
    CASE WHEN count(*) > 0 THEN 'Runs of type restore.execute with status queued or running are judged; have the platform '
        'write these words, or close the runs there.' END AS action
FROM counted
