-- request: queues a job for each open restore.execute run, and says which those are. The jobs belong to the trace of $3.
-- Each job is asked for after the setting that it reads was set: the condition names the row that sets it. Who asked is
-- noted where $4 says how.
WITH trace AS MATERIALIZED (
    SELECT set_config('reconciler.traceparent', coalesce($3, ''), true) AS context
), queued AS MATERIALIZED (
    SELECT asked.run
    FROM trace, unnest($1::bigint[]) AS asked (run)
    WHERE CASE WHEN trace.context IS NOT NULL THEN reconciler.request(asked.run, $2) END
), noted AS (
    INSERT INTO reconciler.actions (
        action, actor, reason, trace, workspace_id, managed_environment_id, operation_run_id, run_created_at, outcome
    )
    SELECT $4, $5, $6, $7, run.workspace_id, run.managed_environment_id, run.id,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END, 'queued'
    FROM queued
    -- OFFSET has each looked up by its id.
    CROSS JOIN LATERAL (
        SELECT id, workspace_id, managed_environment_id, created_at FROM operation_runs WHERE id = queued.run OFFSET 0
    ) AS run
    WHERE $4::text IS NOT NULL
)
SELECT run FROM queued
