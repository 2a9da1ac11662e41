-- foreign_queues: the types of jobs that are not ours, in the schema that all users of the library share.
SELECT DISTINCT job_type FROM apalis.jobs WHERE job_type NOT LIKE 'restore.%' ORDER BY job_type
