-- withdraw_rules: forgets which rules a worker judged by.
DELETE FROM reconciler.judges WHERE worker = $1
