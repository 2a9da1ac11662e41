-- move_opinion_cursor: up to where runs were walked past, and whether there is nothing to do for a moment.
UPDATE reconciler.opinion_cursor
SET walked_to = $1, idle_until = CASE WHEN $2 THEN statement_timestamp() + interval '15 s' ELSE idle_until END
