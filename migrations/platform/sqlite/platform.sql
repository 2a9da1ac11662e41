-- A stand-in for the platform's tables on the embedded database. Moments are integer microseconds
-- since 1970, UTC; JSON is text. Columns are as loosely typed as Laravel leaves them on SQLite.
-- For demonstrations and tests. Never applied to a database that holds the real tables.

CREATE TABLE workspaces (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    created_at INTEGER,
    updated_at INTEGER
);

CREATE TABLE managed_environments (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    name         TEXT NOT NULL,
    deleted_at   INTEGER,
    created_at   INTEGER,
    updated_at   INTEGER
);

CREATE TABLE operation_runs (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id           INTEGER NOT NULL REFERENCES workspaces (id),
    managed_environment_id INTEGER REFERENCES managed_environments (id),
    user_id                INTEGER,
    initiator_name         TEXT NOT NULL,
    type                   TEXT NOT NULL,
    status                 TEXT NOT NULL DEFAULT 'queued',
    outcome                TEXT NOT NULL DEFAULT 'pending',
    run_identity_hash      TEXT NOT NULL,
    summary_counts         TEXT,
    failure_summary        TEXT,
    context                TEXT,
    started_at             INTEGER,
    completed_at           INTEGER,
    created_at             INTEGER,
    updated_at             INTEGER
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
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id           INTEGER NOT NULL REFERENCES workspaces (id),
    managed_environment_id INTEGER NOT NULL REFERENCES managed_environments (id),
    name                   TEXT NOT NULL,
    status                 TEXT NOT NULL,
    completed_at           INTEGER,
    metadata               TEXT,
    deleted_at             INTEGER,
    created_at             INTEGER,
    updated_at             INTEGER
);

CREATE TABLE backup_items (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    backup_set_id INTEGER NOT NULL REFERENCES backup_sets (id),
    policy_type   TEXT NOT NULL,
    payload       TEXT NOT NULL,
    assignments   TEXT,
    metadata      TEXT,
    captured_at   INTEGER NOT NULL,
    deleted_at    INTEGER,
    created_at    INTEGER,
    updated_at    INTEGER
);

CREATE TABLE restore_runs (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id           INTEGER NOT NULL REFERENCES workspaces (id),
    managed_environment_id INTEGER NOT NULL REFERENCES managed_environments (id),
    backup_set_id          INTEGER NOT NULL REFERENCES backup_sets (id),
    operation_run_id       INTEGER REFERENCES operation_runs (id) ON DELETE SET NULL,
    requested_by           TEXT,
    is_dry_run             INTEGER NOT NULL DEFAULT 0,
    status                 TEXT NOT NULL DEFAULT 'pending',
    requested_items        TEXT,
    group_mapping          TEXT,
    preview                TEXT,
    results                TEXT,
    metadata               TEXT,
    failure_reason         TEXT,
    started_at             INTEGER,
    completed_at           INTEGER,
    deleted_at             INTEGER,
    created_at             INTEGER,
    updated_at             INTEGER
);

CREATE INDEX restore_runs_managed_environment_id_status_index
    ON restore_runs (managed_environment_id, status);

CREATE TABLE evidence_snapshots (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id           INTEGER NOT NULL REFERENCES workspaces (id),
    managed_environment_id INTEGER NOT NULL REFERENCES managed_environments (id),
    operation_run_id       INTEGER REFERENCES operation_runs (id) ON DELETE SET NULL,
    fingerprint            TEXT,
    previous_fingerprint   TEXT,
    status                 TEXT NOT NULL,
    completeness_state     TEXT NOT NULL DEFAULT 'missing',
    summary                TEXT NOT NULL DEFAULT '{}',
    generated_at           INTEGER,
    expires_at             INTEGER,
    created_at             INTEGER,
    updated_at             INTEGER
);

CREATE INDEX evidence_snapshots_managed_environment_id_status_index
    ON evidence_snapshots (managed_environment_id, status);

CREATE TABLE audit_logs (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id           INTEGER REFERENCES workspaces (id),
    managed_environment_id INTEGER REFERENCES managed_environments (id),
    actor_id               INTEGER,
    actor_email            TEXT,
    actor_name             TEXT,
    actor_type             TEXT NOT NULL DEFAULT 'human'
        CHECK (actor_type IN ('human', 'system', 'scheduled', 'integration')),
    actor_label            TEXT,
    action                 TEXT NOT NULL,
    resource_type          TEXT,
    resource_id            TEXT,
    status                 TEXT NOT NULL DEFAULT 'success',
    outcome                TEXT
        CHECK (outcome IN ('success', 'failure', 'partial', 'info', 'blocked')),
    summary                TEXT,
    metadata               TEXT,
    recorded_at            INTEGER NOT NULL,
    CHECK (managed_environment_id IS NULL OR workspace_id IS NOT NULL)
);

CREATE INDEX audit_logs_managed_environment_id_action_index
    ON audit_logs (managed_environment_id, action);
CREATE INDEX audit_logs_managed_environment_id_recorded_at_index
    ON audit_logs (managed_environment_id, recorded_at);
