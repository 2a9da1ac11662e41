-- remove_copy: removes the copy, whoever is connected to it.
DROP DATABASE IF EXISTS restore_reconciler_bench_copy WITH (FORCE)
