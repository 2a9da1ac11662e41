-- request_once: queues a job for an open restore.execute run unless one that asks for it is not finished, says whether
-- the run is open, and notes who asked. The job belongs to the trace of $3; for the order see request. Payloads without
-- the run's digits need not be parsed.
WITH trace AS MATERIALIZED (
    SELECT set_config('reconciler.traceparent', coalesce($3, ''), true) AS context
), asked AS MATERIALIZED (
    SELECT CASE
        WHEN EXISTS (
            SELECT 1
            FROM apalis.jobs
            WHERE job_type = 'restore.execute'
              AND (status IN ('Pending', 'Queued', 'Running') OR (status = 'Failed' AND attempts < max_attempts))
              AND position(convert_to($1::bigint::text, 'UTF8') IN job) > 0
              AND reconciler.run_of(job) = $1
        )
        THEN CASE WHEN EXISTS (
            SELECT 1
            FROM operation_runs
            WHERE id = $1 AND type = 'restore.execute' AND status IN ('queued', 'running')
        ) THEN 'queued_before' END
        WHEN trace.context IS NOT NULL AND reconciler.request($1, $2)
        THEN 'queued'
    END AS outcome
    FROM trace
), noted AS (
    INSERT INTO reconciler.actions (
        action, actor, reason, trace, workspace_id, managed_environment_id, operation_run_id, run_created_at, outcome
    )
    SELECT $4, $5, $6, $7, run.workspace_id, run.managed_environment_id, run.id,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END, asked.outcome
    FROM asked, operation_runs AS run
    WHERE asked.outcome IS NOT NULL AND run.id = $1
)
SELECT outcome IS NOT NULL FROM asked
