-- copy_ledger: copies the next $1 entries of an older ledger, and says about how many are left.
SELECT reconciler.copy_ledger($1)
