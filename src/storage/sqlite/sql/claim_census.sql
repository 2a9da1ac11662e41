-- claim_census: one worker is told to take the census, if the last one was claimed long enough ago.
INSERT INTO reconciler_census (the_one, claimed_at, worker)
VALUES (1, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000, ?1)
ON CONFLICT (the_one) DO UPDATE SET claimed_at = excluded.claimed_at, worker = excluded.worker
WHERE reconciler_census.claimed_at <= excluded.claimed_at - ?2
   OR reconciler_census.claimed_at > excluded.claimed_at
