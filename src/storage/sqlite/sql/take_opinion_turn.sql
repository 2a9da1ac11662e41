-- take_opinion_turn: up to where runs were walked past. Whoever writes keeps everybody else out.
SELECT walked_to FROM reconciler_opinion_cursor
