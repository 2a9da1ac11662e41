-- lock_migrations: lets one process migrate at a time, until its transaction ends.
SELECT pg_advisory_xact_lock(7165068)
