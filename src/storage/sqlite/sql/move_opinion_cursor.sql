-- move_opinion_cursor: up to where runs were walked past, and whether there is nothing to do for a moment.
UPDATE reconciler_opinion_cursor
SET walked_to = ?1,
    idle_until = CASE
        WHEN ?2 THEN (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) + 15000) * 1000
        ELSE idle_until
    END
