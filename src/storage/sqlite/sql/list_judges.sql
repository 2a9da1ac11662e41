-- list_judges: the workers that were heard of just now, with the rules that they judge by.
SELECT judge.worker, judge.ruleset, judge.policy_digest, judge.mode
FROM reconciler_judges AS judge
WHERE judge.seen_at > (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) - 30000) * 1000
ORDER BY judge.ruleset DESC, judge.policy_digest, judge.worker
