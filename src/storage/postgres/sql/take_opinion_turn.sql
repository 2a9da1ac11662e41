-- take_opinion_turn: up to where runs were walked past. No row while somebody else is at it.
SELECT walked_to FROM reconciler.opinion_cursor FOR UPDATE SKIP LOCKED
