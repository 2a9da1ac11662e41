-- request: queues a job for each open restore.execute run, and says which those are.
SELECT asked.run
FROM unnest($1::bigint[]) AS asked (run)
WHERE reconciler.request(asked.run, $2)
