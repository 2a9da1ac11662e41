-- withdraw_rules: forgets which rules a worker judged by.
DELETE FROM reconciler_judges WHERE worker = ?1
