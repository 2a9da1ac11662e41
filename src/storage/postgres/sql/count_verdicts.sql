-- count_verdicts: how many rows the ledger has, of all platforms.
SELECT count(*) FROM reconciler.ledger
