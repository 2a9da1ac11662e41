-- place_verdicts: gives positions in the feed to at most $1 verdicts.
SELECT * FROM reconciler.place_verdicts($1::integer)
