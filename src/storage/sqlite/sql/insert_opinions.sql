-- insert_opinions: one opinion per run, and its facts beside it.
INSERT INTO reconciler_opinion_facts (facts_digest, workspace_id, facts)
SELECT value ->> '$.facts_digest', value ->> '$.workspace_id', value ->> '$.facts'
FROM json_each(?1)
WHERE true -- without it the parser takes ON CONFLICT for a join condition
ON CONFLICT DO NOTHING;
INSERT INTO reconciler_opinions (
    operation_run_id, workspace_id, managed_environment_id, run_created_at, revision, claimed, stance, reason_code, found,
    ruleset, facts_digest, closed_at, formed_at
)
SELECT
    value ->> '$.operation_run_id', value ->> '$.workspace_id', value ->> '$.managed_environment_id',
    value ->> '$.created_micros', value ->> '$.revision', value ->> '$.claimed', value ->> '$.stance',
    value ->> '$.reason_code', value ->> '$.found', value ->> '$.ruleset', value ->> '$.facts_digest',
    value ->> '$.closed_micros', ?2
FROM json_each(?1)
