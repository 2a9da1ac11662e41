-- A transaction of the platform never fails because it has asked for a run: neither where somebody else has set
-- reconciler.asked to what is no number, nor where the server's queue of notifications is full, which it says at the commit.
-- Each function stands here as a whole, so that this makes it again where it was lost.

-- Wakes the workers with the caller's commit. Of transactions that run at once only one notifies: workers look several
-- times after a wake-up, and in any case after a while, so they find what the others brought too. Where half of the
-- server's queue is taken, because somebody who listens stays in a transaction, nobody is notified.
CREATE OR REPLACE FUNCTION reconciler.wake() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_notification_queue_usage() < 0.5 AND pg_try_advisory_xact_lock(7165067) THEN
        PERFORM pg_notify('reconciler_wake', '');
    END IF;
END
$$;

-- Asks for a run to be looked at: a job is queued with the caller's transaction or not at all. Never fails its
-- caller: what is not an open restore.execute run is passed over, and a queue that cannot be written to is
-- reported as a warning, because the next sweep finds the run anyway.
--
-- It runs with the rights of whoever installed it, so every name in it is qualified. The platform's schema is the one
-- that ours serves, and reconciler.bind puts another in its place.
DO $install$
DECLARE
    runs text := format('%I.operation_runs', coalesce(
        (SELECT schema_name FROM reconciler.platform),
        (
            SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE pg_class.oid = 'operation_runs'::regclass
        )
    ));
BEGIN
    EXECUTE format($create$
        CREATE OR REPLACE FUNCTION reconciler.request(operation_run_id bigint, cause text DEFAULT 'platform') RETURNS boolean
        LANGUAGE plpgsql VOLATILE SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        SET lock_timeout = '200ms' AS $body$
        DECLARE
            -- How many jobs this transaction has queued before. Anybody may set it, to anything.
            asked integer := CASE
                WHEN current_setting('reconciler.asked', true) ~ '^[0-9]{1,9}$'
                THEN current_setting('reconciler.asked', true)::integer
                ELSE 0
            END;
        BEGIN
            -- With IS TRUE the planner finds the run by its id, whatever it believes about open runs.
            IF NOT EXISTS (
                SELECT 1 FROM %s AS run
                WHERE run.id = request.operation_run_id
                  AND run.type = 'restore.execute'
                  AND (run.status IN ('queued', 'running')) IS TRUE
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
                    'asked_at', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                    'traceparent', nullif(left(current_setting('reconciler.traceparent', true), 128), '')
                )::text, 'UTF8'),
                'Pending', 0, 1,
                -- Later than the beginning of the transaction, also where the clock was set back meanwhile, so that the
                -- queue's own trigger does not notify: it would once per row, and would not ask whether there is room.
                greatest(clock_timestamp(), now()) + interval '1 microsecond',
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
