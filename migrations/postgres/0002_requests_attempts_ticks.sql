-- What makes a worker look at a run, and what became of settlements that never ended.

-- Why the database refused a verdict, for operators.
ALTER TABLE reconciler.watch_list ADD COLUMN error text;

-- Runs whose settlement may have ended the process that tried it. Such a run is settled alone, and each try
-- is written down before it begins, so that a crash leaves its mark on the run that was in hand and on no other.
-- A row is forgotten by the settlement that ends. `dead_at` makes it a dead letter: nobody tries again by himself.
CREATE TABLE reconciler.attempts (
    operation_run_id       bigint      NOT NULL PRIMARY KEY,
    workspace_id           bigint      NOT NULL,
    managed_environment_id bigint,
    tries                  integer     NOT NULL DEFAULT 0 CHECK (tries >= 0),
    worker                 text        NOT NULL,
    first_seen_at          timestamptz NOT NULL,
    last_tried_at          timestamptz,
    try_again_at           timestamptz NOT NULL,
    dead_at                timestamptz,
    dropped_at             timestamptz CHECK (dropped_at IS NULL OR dead_at IS NOT NULL)
);

CREATE INDEX attempts_by_time ON reconciler.attempts (try_again_at) WHERE dead_at IS NULL;

-- One row per tick of the sweep schedule that some host won. Every host sees every tick.
CREATE TABLE reconciler.ticks (
    tick_at timestamptz NOT NULL PRIMARY KEY,
    worker  text        NOT NULL,
    won_at  timestamptz NOT NULL
);

-- `in_hand` holds the page that is being settled, and is empty again once the pass has ended: what a dead pass
-- left there is what may have killed it. `shard` of `shards` is the part of the workspaces that the pass covers.
ALTER TABLE reconciler.sweeps
    ADD COLUMN tick_at timestamptz,
    ADD COLUMN shard   integer     NOT NULL DEFAULT 0,
    ADD COLUMN shards  integer     NOT NULL DEFAULT 1 CHECK (shards > 0 AND shard >= 0 AND shard < shards),
    ADD COLUMN beat_at timestamptz,
    ADD COLUMN in_hand bigint[]    NOT NULL DEFAULT '{}';

CREATE INDEX sweeps_in_hand ON reconciler.sweeps (id) WHERE in_hand <> '{}';

-- Asks for a run to be looked at: a job is queued with the caller's transaction or not at all. Never fails its
-- caller: what is not an open restore.execute run is passed over, and a queue that cannot be written to is
-- reported as a warning, because the next sweep finds the run anyway.
--
-- It runs with the rights of whoever installed it, so every name in it is qualified. The platform's schema is
-- the one that this migration found.
DO $install$
DECLARE
    runs text := (
        SELECT format('%I.%I', space.nspname, class.relname)
        FROM pg_class AS class JOIN pg_namespace AS space ON space.oid = class.relnamespace
        WHERE class.oid = 'operation_runs'::regclass
    );
BEGIN
    EXECUTE format($create$
        CREATE FUNCTION reconciler.request(operation_run_id bigint, cause text DEFAULT 'platform') RETURNS boolean
        LANGUAGE plpgsql VOLATILE SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        SET lock_timeout = '200ms' AS $body$
        DECLARE
            -- How many jobs this transaction has queued before.
            asked integer := coalesce(nullif(current_setting('reconciler.asked', true), ''), '0')::integer;
        BEGIN
            IF NOT EXISTS (
                SELECT 1 FROM %s AS run
                WHERE run.id = request.operation_run_id
                  AND run.type = 'restore.execute'
                  AND run.status IN ('queued', 'running')
            ) THEN
                RETURN false;
            END IF;
            INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
            VALUES (
                reconciler.job_id(),
                'restore.execute',
                convert_to(json_build_object(
                    'run', request.operation_run_id,
                    'cause', left(coalesce(request.cause, 'platform'), 64),
                    'traceparent', nullif(left(current_setting('reconciler.traceparent', true), 128), '')
                )::text, 'UTF8'),
                'Pending', 0, 1,
                -- Later than the beginning of the transaction, so that the queue's own trigger does not notify
                -- once per row: the lock that a notification takes at commit is held by one transaction at a time.
                clock_timestamp() + interval '1 microsecond',
                -- Who asks for a thousand runs at once waits behind who asks for one.
                -least(asked / 50, 1000)
            );
            PERFORM set_config('reconciler.asked', (asked + 1)::text, true);
            PERFORM reconciler.wake();
            RETURN true;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'reconciler.request(%%) was not queued: %%', operation_run_id, SQLERRM
                USING HINT = 'The next sweep will find the run. Run restore-reconciler doctor.';
            RETURN false;
        END
        $body$
    $create$, runs);
END
$install$;

-- An id as the queue reads it: 26 digits of base 32, ordered by time. Hexadecimal digits are among them.
CREATE FUNCTION reconciler.job_id() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '0'
        || upper(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0'))
        || upper(right(replace(gen_random_uuid()::text, '-', ''), 13))
$$;

-- Wakes the workers with the caller's commit. Of transactions that run at once only one notifies: workers look
-- several times after a wake-up, and in any case after a while, so they find what the others brought too.
CREATE FUNCTION reconciler.wake() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_try_advisory_xact_lock(7165067) THEN
        PERFORM pg_notify('reconciler_wake', '');
    END IF;
END
$$;
