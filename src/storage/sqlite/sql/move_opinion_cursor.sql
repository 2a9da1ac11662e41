-- move_opinion_cursor: up to where runs were walked past.
UPDATE reconciler_opinion_cursor SET walked_to = ?1 WHERE walked_to < ?1
