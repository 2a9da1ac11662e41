-- schema_version: the migrations of our own schema that were applied in full.
SELECT coalesce(group_concat(version, ' '), '') FROM reconciler_migrations WHERE success
