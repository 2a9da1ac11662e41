-- insert_opinions: one opinion per run, and its facts beside it.
WITH entry AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[]
    ) AS given (
        operation_run_id, workspace_id, managed_environment_id, created_micros, revision, claimed, stance, reason_code,
        found, ruleset, facts_digest, facts, closed_micros
    )
), kept AS (
    INSERT INTO reconciler.opinion_facts (facts_digest, workspace_id, facts)
    SELECT facts_digest, workspace_id, facts FROM entry
    ON CONFLICT DO NOTHING
)
INSERT INTO reconciler.opinions (
    operation_run_id, workspace_id, managed_environment_id, run_created_at, revision, claimed, stance, reason_code, found,
    ruleset, facts_digest, closed_at, formed_at
)
SELECT
    operation_run_id, workspace_id, managed_environment_id,
    'epoch'::timestamptz + created_micros * interval '1 microsecond',
    revision, claimed, stance, reason_code, found, ruleset, facts_digest,
    'epoch'::timestamptz + closed_micros * interval '1 microsecond',
    $14
FROM entry
