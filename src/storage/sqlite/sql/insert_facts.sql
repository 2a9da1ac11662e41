-- insert_facts: the facts of verdicts, beside the entries that insert_ledger writes.
INSERT INTO reconciler_ledger_facts (facts_digest, workspace_id, facts)
SELECT value ->> '$.facts_digest', value ->> '$.workspace_id', value ->> '$.facts'
FROM json_each(?1)
