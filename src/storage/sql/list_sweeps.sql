-- list_sweeps: the latest sweeps over all workspaces, or over one that a viewer may see, at most $2.
SELECT
    sweep.id,
    sweep.worker,
    sweep.workspace_id,
    sweep.started_at,
    sweep.ended_at,
    sweep.tick_at,
    sweep.shard::bigint AS shard,
    sweep.shards::bigint AS shards,
    sweep.beat_at,
    sweep.succeeded,
    sweep.partially_succeeded,
    sweep.blocked,
    sweep.failed,
    sweep.deferred,
    sweep.refused,
    sweep.passed_over
FROM reconciler.sweeps AS sweep
WHERE $1::bigint[] IS NULL OR sweep.workspace_id IS NULL OR sweep.workspace_id = ANY ($1::bigint[])
ORDER BY sweep.id DESC
LIMIT $2
