-- has_queue: whether the tables of the library that delivers jobs are there.
SELECT count(*) = 2
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = 'apalis' AND relname IN ('jobs', 'workers')
