-- which_database: the same on a primary and on its standbys. A copy that was made from its files has it, too.
SELECT system_identifier AS cluster, current_database()::text AS database
FROM pg_control_system()
