-- applied_queue: the migrations of the queue's schema that were run to their end.
SELECT version FROM apalis._sqlx_migrations WHERE success ORDER BY version
