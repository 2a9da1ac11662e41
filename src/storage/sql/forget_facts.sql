-- forget_facts: erases the facts of one workspace's verdicts, at most $2 of them.
DELETE FROM reconciler.ledger_facts
WHERE workspace_id = $1
  AND facts_digest IN (SELECT facts_digest FROM reconciler.ledger_facts WHERE workspace_id = $1 LIMIT $2)
