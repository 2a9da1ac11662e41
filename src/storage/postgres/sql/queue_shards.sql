-- queue_shards: queues the shards of a sweep. Whoever takes them looks often enough, so nobody is woken.
INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
SELECT reconciler.job_id(), 'restore.sweep', convert_to(payload, 'UTF8'), 'Pending', 0, 1,
    clock_timestamp() + interval '1 microsecond', 0
FROM unnest($1::text[]) AS payload
