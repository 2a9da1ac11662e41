-- last_complete_sweep: when the latest sweep over all workspaces was complete, or began where it found nothing to do.
SELECT max(sweep.at) AS at
FROM (
    SELECT tick.at
    FROM (
        SELECT tick_at AS at
        FROM reconciler.ticks
        WHERE swept = (1::bigint << shards) - 1
        ORDER BY tick_at DESC
        LIMIT 1
    ) AS tick
    UNION ALL
    SELECT latest.ended_at
    FROM (
        SELECT workspace_id, shards, ended_at FROM reconciler.sweeps ORDER BY id DESC LIMIT 100
    ) AS latest
    WHERE latest.workspace_id IS NULL AND latest.shards = 1
) AS sweep
