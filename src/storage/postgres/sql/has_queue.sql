-- has_queue: whether the tables of the library that delivers jobs are there.
SELECT to_regclass('apalis.jobs') IS NOT NULL AND to_regclass('apalis.workers') IS NOT NULL
