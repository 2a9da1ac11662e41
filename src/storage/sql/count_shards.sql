-- count_shards: how many jobs of sweeps wait, and how many are in hand.
SELECT
    count(*) FILTER (WHERE status = 'Pending') AS waiting,
    count(*) FILTER (WHERE status IN ('Queued', 'Running')) AS in_hand
FROM apalis.jobs
WHERE job_type = 'restore.sweep' AND status IN ('Pending', 'Queued', 'Running')
