-- Which rules the workers judge by. Each says so with its signs of life, so that two of them that would judge
-- differently are told apart, and one of older rules leaves runs to those who hold newer ones.
CREATE TABLE reconciler.judges (
    worker        text        NOT NULL PRIMARY KEY,
    ruleset       integer     NOT NULL,
    policy_digest text        NOT NULL,
    seen_at       timestamptz NOT NULL
);
