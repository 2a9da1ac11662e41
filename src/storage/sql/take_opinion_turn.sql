-- take_opinion_turn: up to where runs were walked past, and the last run there is. No row while somebody else is at it, nor
-- where there was nothing to do a moment ago, unless it is asked for.
SELECT walked_to, coalesce((SELECT max(id) FROM operation_runs), 0) AS last_id
FROM reconciler.opinion_cursor
WHERE $1 OR idle_until <= statement_timestamp()
FOR UPDATE SKIP LOCKED
