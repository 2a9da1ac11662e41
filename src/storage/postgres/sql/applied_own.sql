-- applied_own: the migrations of our own schema that were run to their end.
SELECT version FROM reconciler.migrations WHERE success ORDER BY version
