-- applied: the migrations of our own tables that were run.
SELECT version, success, checksum FROM reconciler_migrations ORDER BY version
