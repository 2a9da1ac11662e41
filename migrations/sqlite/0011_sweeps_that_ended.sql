-- A sweep has ended once each of its shards was swept to its end. That is written down, because nothing else shows it: jobs may
-- be lost or removed, and a pass over nothing leaves no row. `shards` is how many its sweep has; null until one has ended, or
-- where nobody wrote it down. `swept` are those that were swept to their end, a bit each.
ALTER TABLE reconciler_ticks ADD COLUMN shards INTEGER CHECK (shards BETWEEN 0 AND 62);
ALTER TABLE reconciler_ticks ADD COLUMN swept INTEGER NOT NULL DEFAULT 0;
