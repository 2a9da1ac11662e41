-- What operators did about whole workspaces, for ever.
CREATE TABLE reconciler.actions (
    acted_at     timestamptz NOT NULL DEFAULT statement_timestamp(),
    acted_by     text        NOT NULL DEFAULT session_user,
    action       text        NOT NULL CHECK (action IN ('forget')),
    workspace_id bigint      NOT NULL,
    -- What was found when it began: the facts of verdicts and of opinions that were to be erased.
    found        text        NOT NULL
);
CREATE TRIGGER actions_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciler.actions
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();
