-- Which rules the workers judge by. Each says so with its signs of life, so that two of them that would judge
-- differently are told apart, and one of older rules leaves runs to those who hold newer ones.
CREATE TABLE reconciler.judges (
    worker        text        NOT NULL PRIMARY KEY,
    ruleset       integer     NOT NULL,
    policy_digest text        NOT NULL,
    seen_at       timestamptz NOT NULL
);

-- Workers of the first ruleset know nothing of this. Beside a worker of a newer one their verdicts are refused, so that
-- the whole transaction is undone.
CREATE FUNCTION reconciler.refuse_first_ruleset() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM reconciler.judges WHERE seen_at > statement_timestamp() - interval '30 s'
    ) THEN
        RAISE EXCEPTION 'a worker of newer rules is at work, so one of restore.execute/1 settles nothing'
            USING HINT = 'Stop this worker, or upgrade it.';
    END IF;
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION reconciler.refuse_first_ruleset FROM PUBLIC;
CREATE TRIGGER ledger_refuses_first_ruleset
    BEFORE INSERT ON reconciler.ledger
    FOR EACH ROW WHEN (NEW.ruleset = 'restore.execute/1')
    EXECUTE FUNCTION reconciler.refuse_first_ruleset();
