-- load_opinions: all revisions of the opinions on these runs, the latest last.
SELECT
    opinion.operation_run_id AS run_id,
    opinion.workspace_id,
    opinion.managed_environment_id AS environment_id,
    opinion.run_created_at,
    opinion.revision,
    opinion.claimed,
    opinion.stance,
    opinion.reason_code
FROM reconciler_opinions AS opinion
WHERE opinion.operation_run_id IN (SELECT value FROM json_each(?1))
ORDER BY opinion.operation_run_id, opinion.revision
