-- load_jobs: the latest jobs in any state that ask for a run. Payloads without its digits need not be parsed.
SELECT
    id,
    status,
    job AS payload,
    lock_by AS worker,
    (attempts + (status IN ('Queued', 'Running'))::integer)::bigint AS deliveries,
    CASE WHEN run_at IS NOT NULL
        THEN (extract(epoch FROM least(greatest(run_at, '1970-01-01'), '9999-01-01')) * 1000000)::bigint END AS run_at,
    CASE WHEN lock_at IS NOT NULL
        THEN (extract(epoch FROM least(greatest(lock_at, '1970-01-01'), '9999-01-01')) * 1000000)::bigint END AS taken_at,
    CASE WHEN done_at IS NOT NULL
        THEN (extract(epoch FROM least(greatest(done_at, '1970-01-01'), '9999-01-01')) * 1000000)::bigint END AS done_at
FROM apalis.jobs
WHERE job_type = 'restore.execute'
  AND position(convert_to($1::text, 'UTF8') IN job) > 0
  AND reconciler.run_of(job) = $1
ORDER BY run_at DESC, id DESC
LIMIT $2
