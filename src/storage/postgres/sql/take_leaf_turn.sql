-- take_leaf_turn: whether this transaction is the one that makes leaves, until it ends.
SELECT pg_try_advisory_xact_lock(7165071) AS is_ours
