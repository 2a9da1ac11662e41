-- drop_own: removes our own schema, with the triggers on the platform's tables that call into it.
DROP SCHEMA reconciler CASCADE
