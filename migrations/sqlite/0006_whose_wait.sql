-- Whose wait, and whose attempts, an entry is about: ids come again (see 0005), and what was left of another run is not
-- to delay a new one, or to hold it as a dead letter. Entries from before this do not say when their run was created, and
-- are taken for those of the run that has their id, workspace and environment.
ALTER TABLE reconciler_watch_list ADD COLUMN run_created_at INTEGER;
ALTER TABLE reconciler_attempts ADD COLUMN run_created_at INTEGER;
