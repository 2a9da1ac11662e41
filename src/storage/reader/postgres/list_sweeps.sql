-- list_sweeps: the latest sweeps over all workspaces, or over one that a viewer may see, at most $2.
SELECT
    sweep.id,
    sweep.worker,
    sweep.workspace_id,
    (extract(epoch FROM sweep.started_at) * 1000000)::bigint AS started_at,
    (extract(epoch FROM sweep.ended_at) * 1000000)::bigint AS ended_at,
    (extract(epoch FROM sweep.tick_at) * 1000000)::bigint AS tick_at,
    sweep.shard::bigint AS shard,
    sweep.shards::bigint AS shards,
    (extract(epoch FROM sweep.beat_at) * 1000000)::bigint AS beat_at,
    sweep.succeeded,
    sweep.partially_succeeded,
    sweep.blocked,
    sweep.failed,
    sweep.deferred,
    sweep.refused,
    sweep.passed_over
FROM reconciler.sweeps AS sweep
WHERE $1::bigint[] IS NULL OR sweep.workspace_id IS NULL OR sweep.workspace_id = ANY ($1)
ORDER BY sweep.id DESC
LIMIT $2
