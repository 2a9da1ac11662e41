-- Which rules the workers judge by.
CREATE TABLE reconciler_judges (
    worker        TEXT    NOT NULL PRIMARY KEY,
    ruleset       INTEGER NOT NULL,
    policy_digest TEXT    NOT NULL,
    seen_at       INTEGER NOT NULL
) STRICT;
