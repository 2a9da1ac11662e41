-- announce_rules: says which rules a worker judges by, which version it is and when it sweeps next, and forgets those that were
-- not heard of for a day.
WITH gone AS (
    DELETE FROM reconciler.judges WHERE seen_at < statement_timestamp() - interval '1 day'
)
INSERT INTO reconciler.judges AS judge (worker, ruleset, policy_digest, seen_at, mode, version, next_sweep_at)
VALUES ($1, $2::bigint, $3, statement_timestamp(), $4, $5, $6)
ON CONFLICT (worker) DO UPDATE
SET
    ruleset = excluded.ruleset, policy_digest = excluded.policy_digest, seen_at = excluded.seen_at, mode = excluded.mode,
    version = excluded.version, next_sweep_at = excluded.next_sweep_at
