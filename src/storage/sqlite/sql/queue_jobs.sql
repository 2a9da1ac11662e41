-- queue_jobs: queues jobs. An id is 26 digits of base 32, ordered by time; hexadecimal digits are among them.
INSERT INTO Jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
SELECT
    printf('0%012X%s', CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), substr(hex(randomblob(7)), 1, 13)),
    ?1, CAST(value AS BLOB), 'Pending', 0, 25, unixepoch('now'), 0
FROM json_each(?2)
