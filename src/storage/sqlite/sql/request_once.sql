-- request_once: queues job ?2 for run ?1 unless one that asks for this run is not finished.
INSERT INTO Jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
SELECT
    printf('0%012X%s', CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), substr(hex(randomblob(7)), 1, 13)),
    'restore.execute', CAST(?2 AS BLOB), 'Pending', 0, 25, unixepoch('now'), 0
WHERE NOT EXISTS (
    SELECT 1
    FROM Jobs
    WHERE job_type = 'restore.execute'
      AND (status IN ('Pending', 'Queued', 'Running') OR (status = 'Failed' AND attempts < max_attempts))
      -- Payloads without the run's digits need not be parsed.
      AND instr(CAST(job AS BLOB), CAST(CAST(?1 AS TEXT) AS BLOB)) > 0
      AND CASE WHEN json_valid(CAST(job AS TEXT)) THEN CAST(job AS TEXT) ->> '$.run' END = ?1
)
