-- request_once: queues a job for an open restore.execute run unless one that asks for it is not finished, and says
-- whether the run is open. The job belongs to the trace of $3; for the order see request. Payloads without the run's
-- digits need not be parsed.
WITH trace AS MATERIALIZED (
    SELECT set_config('reconciler.traceparent', coalesce($3, ''), true) AS context
)
SELECT CASE
    WHEN EXISTS (
        SELECT 1
        FROM apalis.jobs
        WHERE job_type = 'restore.execute'
          AND (status IN ('Pending', 'Queued', 'Running') OR (status = 'Failed' AND attempts < max_attempts))
          AND position(convert_to($1::bigint::text, 'UTF8') IN job) > 0
          AND reconciler.run_of(job) = $1
    )
    THEN EXISTS (
        SELECT 1
        FROM operation_runs
        WHERE id = $1 AND type = 'restore.execute' AND status IN ('queued', 'running')
    )
    WHEN trace.context IS NOT NULL
    THEN reconciler.request($1, $2)
END
FROM trace
