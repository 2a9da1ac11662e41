-- which_database: the same on a primary and on its standbys, and on no other server.
SELECT system_identifier AS cluster, current_database()::text AS database
FROM pg_control_system()
