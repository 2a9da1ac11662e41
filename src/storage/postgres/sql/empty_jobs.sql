-- empty_jobs: removes all jobs.
DELETE FROM apalis.jobs
