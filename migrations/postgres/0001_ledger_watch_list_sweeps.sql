-- Everything this product owns lives in schema `reconciler`. Platform tables are never changed here.

-- One row per verdict, for ever. The facts are kept in the exact text that was digested, so that a
-- decision can be checked and repeated long after the rows it was made from are gone.
CREATE TABLE reconciler.ledger (
    decision_id            text        NOT NULL PRIMARY KEY,
    operation_run_id       bigint      NOT NULL UNIQUE,
    workspace_id           bigint      NOT NULL,
    managed_environment_id bigint,
    outcome                text        NOT NULL
        CHECK (outcome IN ('succeeded', 'partially_succeeded', 'blocked', 'failed')),
    reason_code            text        NOT NULL,
    ruleset                text        NOT NULL,
    facts                  text        NOT NULL,
    facts_digest           text        NOT NULL CHECK (facts_digest ~ '^[0-9a-f]{64}$'),
    decision               text        NOT NULL,
    worker                 text        NOT NULL,
    source                 text        NOT NULL,
    decided_at             timestamptz NOT NULL
);

CREATE INDEX ledger_by_time ON reconciler.ledger (workspace_id, decided_at);

CREATE FUNCTION reconciler.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'reconciler.ledger is insert-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'A verdict is final. Correct the platform and let a new run be reconciled.';
END
$$;

CREATE TRIGGER ledger_rows_are_final BEFORE UPDATE OR DELETE ON reconciler.ledger
    FOR EACH ROW EXECUTE FUNCTION reconciler.refuse_change();
CREATE TRIGGER ledger_is_never_emptied BEFORE TRUNCATE ON reconciler.ledger
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();

-- Runs that were looked at and stay open.
CREATE TABLE reconciler.watch_list (
    operation_run_id       bigint      NOT NULL PRIMARY KEY,
    workspace_id           bigint      NOT NULL,
    managed_environment_id bigint,
    reason_code            text        NOT NULL,
    first_seen_at          timestamptz NOT NULL,
    last_looked_at         timestamptz NOT NULL,
    look_again_at          timestamptz NOT NULL,
    tries                  integer     NOT NULL CHECK (tries > 0)
);

CREATE INDEX watch_list_by_time ON reconciler.watch_list (look_again_at);

-- One row per pass over the due runs. `ended_at` stays null where a pass died.
CREATE TABLE reconciler.sweeps (
    id                  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker              text        NOT NULL,
    workspace_id        bigint,
    started_at          timestamptz NOT NULL,
    ended_at            timestamptz,
    succeeded           bigint      NOT NULL DEFAULT 0,
    partially_succeeded bigint      NOT NULL DEFAULT 0,
    blocked             bigint      NOT NULL DEFAULT 0,
    failed              bigint      NOT NULL DEFAULT 0,
    deferred            bigint      NOT NULL DEFAULT 0,
    refused             bigint      NOT NULL DEFAULT 0,
    passed_over         bigint      NOT NULL DEFAULT 0
);
