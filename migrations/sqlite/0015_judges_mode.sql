-- What becomes of the runs that a worker judges: one that only observes keeps no other from settling them.
ALTER TABLE reconciler_judges ADD COLUMN mode TEXT NOT NULL DEFAULT 'act';
