-- load_findings: what settlements wrote from $1 on about runs after $2, in the order of the runs, at most $3.
SELECT operation_run_id, outcome, reason_code, source
FROM reconciler.ledger
WHERE decided_at >= 'epoch'::timestamptz + $1 * interval '1 microsecond' AND operation_run_id > $2
UNION ALL
SELECT operation_run_id, NULL, reason_code, NULL
FROM reconciler.watch_list
WHERE last_looked_at >= 'epoch'::timestamptz + $1 * interval '1 microsecond' AND operation_run_id > $2
ORDER BY 1
LIMIT $3
