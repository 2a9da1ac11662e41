-- is_ledger_copied: whether the copy has taken the ledger's place.
SELECT to_regprocedure('reconciler.copy_ledger(integer)') IS NULL
