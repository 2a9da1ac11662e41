-- last_complete_sweep: when the latest sweep over all workspaces was complete, or began where it found nothing to do.
SELECT max(at) AS at
FROM (
    SELECT tick_at AS at FROM reconciler_ticks WHERE swept = (1 << shards) - 1
    UNION ALL
    SELECT ended_at
    FROM (SELECT workspace_id, shards, ended_at FROM reconciler_sweeps ORDER BY id DESC LIMIT 100)
    WHERE workspace_id IS NULL AND shards = 1
)
