-- load_jobs: the latest jobs in any state that ask for a run. Payloads without its digits need not be parsed.
SELECT
    id,
    status,
    job AS payload,
    lock_by AS worker,
    (attempts + (status IN ('Queued', 'Running'))::integer)::bigint AS deliveries,
    run_at,
    lock_at AS taken_at,
    done_at
FROM apalis.jobs
WHERE job_type = 'restore.execute'
  AND position(convert_to($1::text, 'UTF8') IN job) > 0
  AND reconciler.run_of(job) = $1
ORDER BY run_at DESC, id DESC
LIMIT $2
