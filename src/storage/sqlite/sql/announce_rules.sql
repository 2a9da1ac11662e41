-- announce_rules: says which rules a worker judges by, which version it is and when it sweeps next.
INSERT INTO reconciler_judges (worker, ruleset, policy_digest, seen_at, mode, version, next_sweep_at)
VALUES (?1, ?2, ?3, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000, ?4, ?5, ?6)
ON CONFLICT (worker) DO UPDATE
SET
    ruleset = excluded.ruleset, policy_digest = excluded.policy_digest, seen_at = excluded.seen_at, mode = excluded.mode,
    version = excluded.version, next_sweep_at = excluded.next_sweep_at
