-- copy: copies the prepared database.
CREATE DATABASE restore_reconciler_bench_copy TEMPLATE restore_reconciler_bench
