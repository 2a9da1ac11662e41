-- remove_prepared: removes the prepared database, whoever is connected to it.
DROP DATABASE IF EXISTS restore_reconciler_bench WITH (FORCE)
