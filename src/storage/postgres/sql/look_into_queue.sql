-- look_into_queue: what is not ours in the schema that all users of the library share, which are jobs, workers and tables,
-- and how many workers have shown lately that they are alive.
SELECT
    ARRAY(
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
    ),
    (SELECT count(*) FROM apalis.workers WHERE last_seen > statement_timestamp() - interval '30 s')
