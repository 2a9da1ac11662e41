-- load_waiting: every job that waits, with its payload.
SELECT id, job FROM Jobs WHERE job_type = 'restore.execute' AND status = 'Pending'
