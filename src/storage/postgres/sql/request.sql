-- request: queues a job for each open restore.execute run, and says which those are. The jobs belong to the trace of $3.
-- Each job is asked for after the setting that it reads was set: the condition names the row that sets it.
WITH trace AS MATERIALIZED (
    SELECT set_config('reconciler.traceparent', coalesce($3, ''), true) AS context
)
SELECT asked.run
FROM trace, unnest($1::bigint[]) AS asked (run)
WHERE CASE WHEN trace.context IS NOT NULL THEN reconciler.request(asked.run, $2) END
