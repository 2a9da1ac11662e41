-- remove_triggers: removes the triggers with the functions that they call, which needs no rights on their tables.
DROP FUNCTION IF EXISTS reconciler.row_changed(), reconciler.audit_written() CASCADE
