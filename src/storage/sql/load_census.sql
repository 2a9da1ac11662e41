-- load_census: what was counted last.
SELECT counts FROM reconciler.census
