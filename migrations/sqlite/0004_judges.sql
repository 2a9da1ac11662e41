-- Which rules the workers judge by.
CREATE TABLE reconciler_judges (
    worker        TEXT    NOT NULL PRIMARY KEY,
    ruleset       INTEGER NOT NULL,
    policy_digest TEXT    NOT NULL,
    seen_at       INTEGER NOT NULL
) STRICT;

CREATE TRIGGER reconciler_judges_are_forgotten
AFTER INSERT ON reconciler_judges
BEGIN
    DELETE FROM reconciler_judges WHERE seen_at < NEW.seen_at - 86400000000;
END;

-- Workers of the first ruleset know nothing of this. Beside a worker of a newer one their verdicts are refused.
CREATE TRIGGER reconciler_ledger_refuses_first_ruleset
BEFORE INSERT ON reconciler_ledger
WHEN NEW.ruleset = 'restore.execute/1' AND EXISTS (
    SELECT 1
    FROM reconciler_judges
    WHERE seen_at > (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) - 30000) * 1000
)
BEGIN
    SELECT RAISE(ABORT, 'a worker of newer rules is at work, so one of restore.execute/1 settles nothing');
END;
