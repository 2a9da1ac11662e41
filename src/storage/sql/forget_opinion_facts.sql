-- forget_opinion_facts: erases the facts of opinions on one workspace's runs, at most $2 of them.
DELETE FROM reconciler.opinion_facts
WHERE workspace_id = $1
  AND facts_digest IN (SELECT facts_digest FROM reconciler.opinion_facts WHERE workspace_id = $1 LIMIT $2)
