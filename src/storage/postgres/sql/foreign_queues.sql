-- foreign_queues: what is not ours in the schema that all users of the library share: jobs, workers and tables.
SELECT job_type FROM apalis.jobs WHERE job_type NOT IN ('restore.execute', 'restore.sweep')
UNION
SELECT worker_type FROM apalis.workers WHERE worker_type NOT IN ('restore.execute', 'restore.sweep')
UNION
SELECT 'table ' || relname
FROM pg_class
WHERE relnamespace = 'apalis'::regnamespace
  AND relkind IN ('r', 'p', 'v', 'm', 'f')
  AND relname NOT IN ('jobs', 'workers', '_sqlx_migrations')
ORDER BY 1
