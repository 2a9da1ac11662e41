-- list_judges: the workers that were heard of just now, with the rules that they judge by and when each sweeps next.
SELECT
    judge.worker, judge.ruleset::bigint AS ruleset, judge.policy_digest, judge.mode, judge.version, judge.next_sweep_at
FROM reconciler.judges AS judge
WHERE judge.seen_at > statement_timestamp() - interval '30 s'
ORDER BY judge.ruleset DESC, judge.policy_digest, judge.worker
