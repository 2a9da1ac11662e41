-- extend_ledger: makes the ledger's months to come, so far as they are not there.
SELECT reconciler.extend_ledger()
