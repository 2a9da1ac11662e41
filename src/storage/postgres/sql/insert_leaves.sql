-- insert_leaves: leaves of positions, each with what stands for its facts, where there were any.
INSERT INTO reconciler.ledger_leaves (position, leaf, facts_seal)
SELECT given.position, decode(given.leaf, 'hex'), decode(given.facts_seal, 'hex')
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (position, leaf, facts_seal)
