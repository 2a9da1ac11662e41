-- take_opinion_turn: up to where runs were walked past, and the last run there is. No row where there was nothing to do a
-- moment ago, unless it is asked for. Whoever writes keeps everybody else out.
SELECT walked_to, coalesce((SELECT max(id) FROM operation_runs), 0) AS last_id
FROM reconciler_opinion_cursor
WHERE ?1 OR idle_until <= CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
