-- What becomes of the runs that a worker judges: one that only observes keeps no other from settling them.
ALTER TABLE reconciler.judges ADD COLUMN mode text NOT NULL DEFAULT 'act';
