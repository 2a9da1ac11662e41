-- find_entries: entries of the ledger by decision or by run, the latest first, at most ?3.
-- Facts that were erased are null.
SELECT
    entry.operation_run_id, entry.decision_id, entry.outcome, entry.reason_code, entry.ruleset,
    coalesce(entry.facts, kept.facts) AS facts,
    entry.facts_digest, entry.decision, entry.worker, entry.decided_at, entry.revision, entry.first_decision_id,
    entry.workspace_id, entry.managed_environment_id, entry.run_created_at, entry.source, NULL AS position
FROM reconciler_ledger AS entry
LEFT JOIN reconciler_ledger_facts AS kept ON kept.facts_digest = entry.facts_digest
WHERE entry.decision_id = ?1 OR entry.operation_run_id = ?2
ORDER BY entry.decided_at DESC
LIMIT ?3
