-- What became of settlements that never ended, and which ticks were won. Jobs are in a file of their own.

-- Why the database refused a verdict, for operators.
ALTER TABLE reconciler_watch_list ADD COLUMN error TEXT;

-- Runs whose settlement may have ended the process that tried it. Such a run is settled alone, and each try
-- is written down before it begins, so that a crash leaves its mark on the run that was in hand and on no other.
-- A row is forgotten by the settlement that ends. `dead_at` makes it a dead letter: nobody tries again by himself.
CREATE TABLE reconciler_attempts (
    operation_run_id       INTEGER NOT NULL PRIMARY KEY,
    workspace_id           INTEGER NOT NULL,
    managed_environment_id INTEGER,
    tries                  INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    worker                 TEXT    NOT NULL,
    first_seen_at          INTEGER NOT NULL,
    last_tried_at          INTEGER,
    try_again_at           INTEGER NOT NULL,
    dead_at                INTEGER,
    dropped_at             INTEGER CHECK (dropped_at IS NULL OR dead_at IS NOT NULL)
) STRICT;

CREATE INDEX reconciler_attempts_by_time ON reconciler_attempts (try_again_at) WHERE dead_at IS NULL;

-- One row per tick of the sweep schedule that some process won.
CREATE TABLE reconciler_ticks (
    tick_at INTEGER NOT NULL PRIMARY KEY,
    worker  TEXT    NOT NULL,
    won_at  INTEGER NOT NULL
) STRICT;

-- `in_hand` is a JSON list: the page that is being settled, empty again once the pass has ended. What a dead
-- pass left there is what may have killed it. `shard` of `shards` is the part of the workspaces it covers.
ALTER TABLE reconciler_sweeps ADD COLUMN tick_at INTEGER;
ALTER TABLE reconciler_sweeps ADD COLUMN shard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reconciler_sweeps ADD COLUMN shards INTEGER NOT NULL DEFAULT 1
    CHECK (shards > 0 AND shard >= 0 AND shard < shards);
ALTER TABLE reconciler_sweeps ADD COLUMN beat_at INTEGER;
ALTER TABLE reconciler_sweeps ADD COLUMN in_hand TEXT NOT NULL DEFAULT '[]';

CREATE INDEX reconciler_sweeps_in_hand ON reconciler_sweeps (id) WHERE in_hand <> '[]';
