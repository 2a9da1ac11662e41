-- A stand-in for the platform's tables, exactly as Laravel's migrations leave them on PostgreSQL: bigserial keys, whose
-- sequences want a grant of their own, varchar(255), timestamp(0) without time zone holding UTC, `json` in older
-- columns and `jsonb` in newer ones, columns in the order in which migrations added them, foreign keys without an index
-- of their own. A test has Laravel's schema builder make the same tables and compares.
-- For demonstrations and tests. Never applied to a database that holds the real tables.

CREATE TABLE workspaces (
    id         bigserial PRIMARY KEY,
    name       varchar(255) NOT NULL,
    created_at timestamp(0) without time zone,
    updated_at timestamp(0) without time zone
);

CREATE TABLE managed_environments (
    id           bigserial PRIMARY KEY,
    workspace_id bigint NOT NULL
        CONSTRAINT managed_environments_workspace_id_foreign REFERENCES workspaces (id),
    name         varchar(255) NOT NULL,
    deleted_at   timestamp(0) without time zone,
    created_at   timestamp(0) without time zone,
    updated_at   timestamp(0) without time zone
);

CREATE TABLE operation_runs (
    id                     bigserial PRIMARY KEY,
    workspace_id           bigint NOT NULL
        CONSTRAINT operation_runs_workspace_id_foreign REFERENCES workspaces (id),
    managed_environment_id bigint
        CONSTRAINT operation_runs_managed_environment_id_foreign REFERENCES managed_environments (id),
    user_id                bigint,
    initiator_name         varchar(255) NOT NULL,
    type                   varchar(255) NOT NULL,
    status                 varchar(255) NOT NULL DEFAULT 'queued',
    outcome                varchar(255) NOT NULL DEFAULT 'pending',
    run_identity_hash      varchar(255) NOT NULL,
    summary_counts         jsonb,
    failure_summary        jsonb,
    context                jsonb,
    started_at             timestamp(0) without time zone,
    completed_at           timestamp(0) without time zone,
    created_at             timestamp(0) without time zone,
    updated_at             timestamp(0) without time zone
);

CREATE UNIQUE INDEX operation_runs_active_unique_environment
    ON operation_runs (managed_environment_id, run_identity_hash)
    WHERE managed_environment_id IS NOT NULL AND status IN ('queued', 'running');
CREATE UNIQUE INDEX operation_runs_active_unique_workspace
    ON operation_runs (workspace_id, run_identity_hash)
    WHERE managed_environment_id IS NULL AND status IN ('queued', 'running');
CREATE INDEX operation_runs_workspace_id_type_created_at_index
    ON operation_runs (workspace_id, type, created_at);

CREATE TABLE backup_sets (
    id                     bigserial PRIMARY KEY,
    workspace_id           bigint NOT NULL
        CONSTRAINT backup_sets_workspace_id_foreign REFERENCES workspaces (id),
    managed_environment_id bigint NOT NULL
        CONSTRAINT backup_sets_managed_environment_id_foreign REFERENCES managed_environments (id),
    name                   varchar(255) NOT NULL,
    status                 varchar(255) NOT NULL,
    completed_at           timestamp(0) without time zone,
    metadata               json,
    deleted_at             timestamp(0) without time zone,
    created_at             timestamp(0) without time zone,
    updated_at             timestamp(0) without time zone
);

CREATE TABLE backup_items (
    id            bigserial PRIMARY KEY,
    backup_set_id bigint NOT NULL
        CONSTRAINT backup_items_backup_set_id_foreign REFERENCES backup_sets (id),
    policy_type   varchar(255) NOT NULL,
    payload       json NOT NULL,
    assignments   json,
    metadata      json,
    captured_at   timestamp(0) without time zone NOT NULL,
    deleted_at    timestamp(0) without time zone,
    created_at    timestamp(0) without time zone,
    updated_at    timestamp(0) without time zone
);

CREATE TABLE restore_runs (
    id                     bigserial PRIMARY KEY,
    workspace_id           bigint NOT NULL
        CONSTRAINT restore_runs_workspace_id_foreign REFERENCES workspaces (id),
    managed_environment_id bigint NOT NULL
        CONSTRAINT restore_runs_managed_environment_id_foreign REFERENCES managed_environments (id),
    backup_set_id          bigint NOT NULL
        CONSTRAINT restore_runs_backup_set_id_foreign REFERENCES backup_sets (id),
    requested_by           varchar(255),
    is_dry_run             boolean NOT NULL DEFAULT false,
    status                 varchar(255) NOT NULL DEFAULT 'pending',
    requested_items        json,
    group_mapping          json,
    preview                json,
    results                json,
    metadata               json,
    failure_reason         text,
    started_at             timestamp(0) without time zone,
    completed_at           timestamp(0) without time zone,
    deleted_at             timestamp(0) without time zone,
    created_at             timestamp(0) without time zone,
    updated_at             timestamp(0) without time zone,
    operation_run_id       bigint
        CONSTRAINT restore_runs_operation_run_id_foreign REFERENCES operation_runs (id) ON DELETE SET NULL
);

CREATE INDEX restore_runs_managed_environment_id_status_index
    ON restore_runs (managed_environment_id, status);

CREATE TABLE evidence_snapshots (
    id                     bigserial PRIMARY KEY,
    workspace_id           bigint NOT NULL
        CONSTRAINT evidence_snapshots_workspace_id_foreign REFERENCES workspaces (id),
    managed_environment_id bigint NOT NULL
        CONSTRAINT evidence_snapshots_managed_environment_id_foreign REFERENCES managed_environments (id),
    operation_run_id       bigint
        CONSTRAINT evidence_snapshots_operation_run_id_foreign REFERENCES operation_runs (id) ON DELETE SET NULL,
    fingerprint            varchar(64),
    previous_fingerprint   varchar(64),
    status                 varchar(255) NOT NULL,
    completeness_state     varchar(255) NOT NULL DEFAULT 'missing',
    summary                jsonb NOT NULL DEFAULT '{}',
    generated_at           timestamp(0) with time zone,
    expires_at             timestamp(0) with time zone,
    created_at             timestamp(0) with time zone,
    updated_at             timestamp(0) with time zone
);

CREATE INDEX evidence_snapshots_managed_environment_id_status_index
    ON evidence_snapshots (managed_environment_id, status);

CREATE TABLE audit_logs (
    id                     bigserial PRIMARY KEY,
    workspace_id           bigint
        CONSTRAINT audit_logs_workspace_id_foreign REFERENCES workspaces (id),
    managed_environment_id bigint
        CONSTRAINT audit_logs_managed_environment_id_foreign REFERENCES managed_environments (id),
    actor_id               bigint,
    actor_email            varchar(255),
    actor_name             varchar(255),
    actor_type             varchar(32) NOT NULL DEFAULT 'human'
        CHECK (actor_type IN ('human', 'system', 'scheduled', 'integration')),
    actor_label            varchar(255),
    action                 varchar(255) NOT NULL,
    resource_type          varchar(255),
    resource_id            varchar(255),
    status                 varchar(255) NOT NULL DEFAULT 'success',
    outcome                varchar(32)
        CHECK (outcome IN ('success', 'failure', 'partial', 'info', 'blocked')),
    summary                varchar(255),
    metadata               json,
    recorded_at            timestamp(0) without time zone NOT NULL,
    CONSTRAINT audit_logs_scope_check CHECK (managed_environment_id IS NULL OR workspace_id IS NOT NULL)
);

CREATE INDEX audit_logs_managed_environment_id_action_index
    ON audit_logs (managed_environment_id, action);
CREATE INDEX audit_logs_managed_environment_id_recorded_at_index
    ON audit_logs (managed_environment_id, recorded_at);
