-- schema_version: the migrations of our own schema that were applied in full.
SELECT coalesce(string_agg(version::text, ' '), '') FROM reconciler.migrations WHERE success
