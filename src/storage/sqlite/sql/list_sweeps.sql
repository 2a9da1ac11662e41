-- list_sweeps: the latest sweeps over all workspaces, or over one that a viewer may see, at most ?2.
SELECT
    id, worker, workspace_id, started_at, ended_at, tick_at, shard, shards, beat_at,
    succeeded, partially_succeeded, blocked, failed, deferred, refused, passed_over
FROM reconciler_sweeps
WHERE ?1 IS NULL OR workspace_id IS NULL OR workspace_id IN (SELECT value FROM json_each(?1))
ORDER BY id DESC
LIMIT ?2
