-- claim_census: one worker is told to take the census, if the last one was claimed long enough ago.
INSERT INTO reconciler.census AS census (the_one, claimed_at, worker)
VALUES (true, statement_timestamp(), $1)
ON CONFLICT (the_one) DO UPDATE SET claimed_at = excluded.claimed_at, worker = excluded.worker
WHERE census.claimed_at <= excluded.claimed_at - $2::bigint * interval '1 microsecond'
   OR census.claimed_at > excluded.claimed_at
