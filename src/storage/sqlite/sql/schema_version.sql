-- schema_version: the newest migration of our own schema that was applied in full.
SELECT max(version) FROM reconciler_migrations WHERE success
