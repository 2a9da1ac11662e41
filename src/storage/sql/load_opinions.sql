-- load_opinions: all revisions of the opinions on these runs, the latest last.
SELECT
    opinion.operation_run_id AS run_id,
    opinion.workspace_id,
    opinion.managed_environment_id AS environment_id,
    opinion.run_created_at,
    opinion.revision::bigint AS revision,
    opinion.claimed,
    opinion.stance,
    opinion.reason_code
FROM reconciler.opinions AS opinion
WHERE opinion.operation_run_id = ANY ($1::bigint[])
ORDER BY opinion.operation_run_id, opinion.revision
