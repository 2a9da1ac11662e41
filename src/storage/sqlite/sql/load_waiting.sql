-- load_waiting: every job that waits. Whoever reads it finds the run in its payload, as a worker would.
SELECT id, job FROM Jobs WHERE job_type = 'restore.execute' AND status = 'Pending'
