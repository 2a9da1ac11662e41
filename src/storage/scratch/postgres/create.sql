-- create: makes the database that is to be prepared.
CREATE DATABASE restore_reconciler_bench
