-- applied: the migrations of our own schema that were run.
SELECT version, success, checksum FROM reconciler.migrations ORDER BY version
