-- The verdict feed: each verdict gets a position once it is committed, consumers read from their own place on, and say up to
-- where they have told of it. The manual's page about the database says how.
SET LOCAL lock_timeout = '5s';

-- Verdicts that have no position yet: written with the verdict by a trigger, removed when it has one.
CREATE TABLE reconciler.ledger_unplaced (
    -- The whole number of the transaction: that of a row (xmin) comes round again.
    written_by     xid8        NOT NULL DEFAULT pg_current_xact_id(),
    -- In the order of the index, so that adding to it is cheap.
    id             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 100),
    decision_id    text        NOT NULL,
    run_created_at timestamptz,
    workspace_id   bigint      NOT NULL,
    written_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (written_by, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Leaves are for checkpoints, which nothing makes yet.
ALTER TABLE reconciler.ledger_positions
    ALTER COLUMN leaf DROP NOT NULL,
    DROP CONSTRAINT ledger_positions_check,
    ADD COLUMN placed_at timestamptz NOT NULL DEFAULT now();

-- What is said of each reason for a verdict. Codes that are not here are another release's.
CREATE TABLE reconciler.reason_sentences (
    reason_code text NOT NULL PRIMARY KEY,
    sentence    text NOT NULL
);
INSERT INTO reconciler.reason_sentences (reason_code, sentence) VALUES
    ('restore.cancelled', 'The restore was cancelled; no readable record shows that it applied anything.'),
    ('restore.cancelled_after_writes', 'The restore was cancelled after something had been applied.'),
    ('restore.aborted', 'The restore was aborted; no readable record shows that it applied anything.'),
    ('restore.aborted_after_writes', 'The restore was aborted after something had been applied.'),
    ('restore.execution_failed', 'The restore failed.'),
    ('restore.request_unreadable', 'What was requested cannot be read, or its backup set cannot be found.'),
    ('restore.nothing_applied', 'Items have results, and not one of them was applied.'),
    ('restore.items_missing', 'Results do not cover everything that was requested.'),
    ('restore.items_unrecognised', 'Results cannot be read, contradict themselves, or hold an outcome this version does not know.'),
    ('restore.items_mixed', 'Some items were skipped, applied in part, or failed.'),
    ('restore.items_unexpected', 'Results name an item that nobody requested, or one item twice.'),
    ('restore.counts_conflict', 'The recorded counters disagree with the recorded item outcomes.'),
    ('restore.all_items_failed', 'Every item failed.'),
    ('restore.audit_missing', 'No audit entry records the end of this restore.'),
    ('restore.audit_contradicts', 'The audit log says something else than the restore''s status.'),
    ('restore.evidence_missing', 'No post-run evidence snapshot exists for this run.'),
    ('restore.evidence_in_progress', 'The post-run evidence snapshot was not finished.'),
    ('restore.evidence_incomplete', 'The post-run evidence snapshot is not complete.'),
    ('restore.evidence_expired', 'The post-run evidence snapshot has expired.'),
    ('restore.evidence_predates_restore', 'The evidence snapshot cannot be shown to be newer than the restore.'),
    ('restore.evidence_not_current', 'Evidence snapshots exist for this run, but none is active.'),
    ('workspace_mismatch', 'A blocker is recorded: the restore belonged to another workspace.'),
    ('tenant_not_entitled', 'A blocker is recorded: the environment was not entitled to the restore.'),
    ('missing_capability', 'A blocker is recorded: a capability was missing.'),
    ('tenant_not_operable', 'A blocker is recorded: the environment could not be operated on.'),
    ('tenant_missing', 'A blocker is recorded: the restore''s environment no longer existed.'),
    ('initiator_missing', 'A blocker is recorded: whoever started the restore no longer existed.'),
    ('initiator_not_entitled', 'A blocker is recorded: whoever started the restore was not entitled to.'),
    ('provider_connection_invalid', 'A blocker is recorded: the provider connection was not valid.'),
    ('write_gate_blocked', 'A blocker is recorded: the write gate was closed.'),
    ('execution_prerequisite_invalid', 'A blocker is recorded: a prerequisite did not hold.'),
    ('intune_rbac.not_configured', 'A blocker is recorded: Intune role assignments were not configured.'),
    ('intune_rbac.unhealthy', 'A blocker is recorded: the check of Intune role assignments had failed.'),
    ('intune_rbac.stale', 'A blocker is recorded: the check of Intune role assignments was too old.'),
    ('operational_control.paused', 'A blocker is recorded: operations were paused.'),
    ('restore.blocker_configured', 'A blocker is recorded, one that the configuration names.'),
    ('restore.failure_recorded', 'A record beside the restore''s status says that something failed.'),
    ('restore.clearance_unreadable', 'A record that could name a blocker cannot be read.'),
    ('restore.blocked_after_writes', 'A blocker is recorded, and something was applied.'),
    ('restore.proof_complete', 'The proof bundle is complete. Completion and evidence do not prove environment recovery.');

-- An entry that is gone, because its month was archived, still has its row here. With the rights of the owner: whoever reads
-- it needs none on the ledger.
CREATE VIEW reconciler.verdict_feed AS
SELECT
    placed.position,
    placed.decision_id,
    entry.operation_run_id,
    placed.workspace_id,
    entry.managed_environment_id,
    placed.run_created_at,
    entry.revision,
    entry.outcome,
    entry.reason_code,
    reason.sentence AS reason,
    entry.decided_at
FROM reconciler.ledger_positions AS placed
-- OFFSET has each looked up in the month of its run.
LEFT JOIN LATERAL (
    SELECT
        ledger.operation_run_id, ledger.managed_environment_id, ledger.revision, ledger.outcome, ledger.reason_code,
        ledger.decided_at
    FROM reconciler.ledger
    WHERE ledger.decision_id = placed.decision_id
      AND (
          ledger.run_created_at = placed.run_created_at
          OR (ledger.run_created_at IS NULL AND placed.run_created_at IS NULL)
      )
    OFFSET 0
) AS entry ON true
LEFT JOIN reconciler.reason_sentences AS reason ON reason.reason_code = entry.reason_code;

-- Whoever is told of verdicts, each at its own place. A slot each, so that there are no more than sixteen.
CREATE TABLE reconciler.verdict_consumers (
    consumer        text        NOT NULL PRIMARY KEY CHECK (consumer ~ '^[a-z][a-z0-9_-]{0,31}$'),
    slot            smallint    NOT NULL UNIQUE CHECK (slot BETWEEN 1 AND 16),
    acknowledged    bigint      NOT NULL CHECK (acknowledged >= 0),
    acknowledged_at timestamptz
);

-- Since when the oldest verdict waits for its position, and after five seconds who keeps it waiting, if anybody does: the
-- oldest transaction under way on the server that writes, in whichever database.
CREATE FUNCTION reconciler.feed_stall(OUT waiting_since timestamptz, OUT held_up_by text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    oldest     xid8 := pg_snapshot_xmin(pg_current_snapshot());
    written_by xid8;
BEGIN
    SELECT unplaced.written_at, unplaced.written_by
    INTO waiting_since, written_by
    FROM reconciler.ledger_unplaced AS unplaced
    ORDER BY unplaced.written_by, unplaced.id
    LIMIT 1;
    IF written_by >= oldest AND waiting_since < clock_timestamp() - interval '5 seconds' THEN
        SELECT coalesce(
            'process ' || held.pid || ' (' || concat_ws(
                ', ', session.usename, nullif(session.application_name, ''), 'database ' || session.datname
            ) || ')',
            format('the prepared transaction %L', prepared.gid)
        )
        INTO held_up_by
        FROM pg_locks AS held
        LEFT JOIN pg_stat_activity AS session ON session.pid = held.pid
        LEFT JOIN pg_prepared_xacts AS prepared ON prepared.transaction = held.transactionid
        WHERE held.locktype = 'transactionid'
          AND held.mode = 'ExclusiveLock'
          AND held.granted
          AND held.transactionid = oldest::xid;
    END IF;
END
$$;

-- Gives the next positions, in the order of transactions: to verdicts of transactions before which none is under way, so that
-- none gets a lower one later. Nothing where somebody else is at it. Tells whoever listens, once, as reconciler.wake does.
CREATE FUNCTION reconciler.place_verdicts(
    verdicts_max integer, OUT placed bigint, OUT waiting_since timestamptz, OUT held_up_by text
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
-- However many wait, and whatever the statistics say.
SET enable_seqscan = off AS $$
DECLARE
    last bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7165069) THEN
        RETURN;
    END IF;
    -- From here on each statement sees what the one before has committed who was at it.
    SELECT coalesce(max(position), 0) INTO last FROM reconciler.ledger_positions;
    WITH ready AS MATERIALIZED (
        (
            SELECT ctid, * FROM reconciler.ledger_unplaced
            WHERE written_by < pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY written_by, id
            LIMIT verdicts_max
        )
        UNION ALL
        -- What is here and written by a transaction that is yet to come was restored from another server.
        (
            SELECT ctid, * FROM reconciler.ledger_unplaced
            WHERE written_by >= pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY written_by, id
            LIMIT verdicts_max
        )
        LIMIT verdicts_max
    ), removed AS (
        -- By where they are: a join would read all that wait. Nobody moves them.
        DELETE FROM reconciler.ledger_unplaced WHERE ctid = ANY (ARRAY(SELECT ctid FROM ready))
    ), before AS MATERIALIZED (
        SELECT of_ready.workspace_id, coalesce(latest.workspace_position, 0) AS workspace_position
        FROM (SELECT DISTINCT workspace_id FROM ready) AS of_ready
        LEFT JOIN LATERAL (
            SELECT workspace_position
            FROM reconciler.ledger_positions
            WHERE ledger_positions.workspace_id = of_ready.workspace_id
            ORDER BY workspace_position DESC
            LIMIT 1
        ) AS latest ON true
    )
    INSERT INTO reconciler.ledger_positions (position, decision_id, run_created_at, workspace_id, workspace_position)
    SELECT
        last + row_number() OVER (ORDER BY written_by, id), decision_id, run_created_at, workspace_id,
        before.workspace_position + row_number() OVER (PARTITION BY workspace_id ORDER BY written_by, id)
    FROM ready JOIN before USING (workspace_id);
    GET DIAGNOSTICS placed = ROW_COUNT;
    IF placed > 0 AND pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('reconciler_verdict', (last + placed)::text);
    END IF;
    IF placed < verdicts_max THEN
        SELECT stall.waiting_since, stall.held_up_by INTO waiting_since, held_up_by FROM reconciler.feed_stall() AS stall;
    END IF;
END
$$;

-- The place of a consumer, who begins with the first verdict.
CREATE FUNCTION reconciler.place_of(consumer text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place bigint;
BEGIN
    IF (place_of.consumer ~ '^[a-z][a-z0-9_-]{0,31}$') IS NOT TRUE THEN
        RAISE EXCEPTION 'a consumer''s name is a letter and up to 31 of a-z, 0-9, _ and -'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR attempt IN 1..2 LOOP
        SELECT known.acknowledged INTO place
        FROM reconciler.verdict_consumers AS known
        WHERE known.consumer = place_of.consumer;
        IF FOUND THEN
            RETURN place;
        END IF;
        -- One at a time begins.
        PERFORM pg_advisory_xact_lock(7165070);
        INSERT INTO reconciler.verdict_consumers (consumer, slot, acknowledged)
        SELECT place_of.consumer, free.slot, 0
        FROM generate_series(1, 16) AS free (slot)
        WHERE NOT EXISTS (SELECT FROM reconciler.verdict_consumers AS taken WHERE taken.slot = free.slot)
        ORDER BY free.slot
        LIMIT 1
        ON CONFLICT ON CONSTRAINT verdict_consumers_pkey DO NOTHING;
    END LOOP;
    RAISE EXCEPTION 'there are 16 consumers of verdicts already'
        USING ERRCODE = 'configuration_limit_exceeded',
              HINT = 'SELECT reconciler.forget_consumer(...) for one that is not there any more.';
END
$$;

-- The verdicts that a consumer has not acknowledged, the oldest first. Asked again, it gives the same.
CREATE FUNCTION reconciler.next_verdicts(consumer text, "limit" integer DEFAULT 100) RETURNS SETOF reconciler.verdict_feed
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    place bigint;
BEGIN
    IF (next_verdicts."limit" BETWEEN 1 AND 1000) IS NOT TRUE THEN
        RAISE EXCEPTION 'the limit is between 1 and 1000' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    place := reconciler.place_of(next_verdicts.consumer);
    RETURN QUERY
        SELECT * FROM reconciler.verdict_feed AS feed
        WHERE feed.position > place
        ORDER BY feed.position
        LIMIT next_verdicts."limit";
END
$$;

-- Up to here a consumer has told of all. Returns its place, which never goes back.
CREATE FUNCTION reconciler.ack_verdicts(consumer text, through bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last  bigint := (SELECT coalesce(max(position), 0) FROM reconciler.ledger_positions);
    place bigint := reconciler.place_of(ack_verdicts.consumer);
BEGIN
    IF (ack_verdicts.through BETWEEN 0 AND last) IS NOT TRUE THEN
        RAISE EXCEPTION 'there is no verdict at position %: the last one is at %', coalesce(through::text, 'null'), last
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE reconciler.verdict_consumers AS known
    SET acknowledged = greatest(known.acknowledged, ack_verdicts.through), acknowledged_at = clock_timestamp()
    WHERE known.consumer = ack_verdicts.consumer
    RETURNING known.acknowledged INTO place;
    RETURN place;
END
$$;

-- Whether there was such a consumer, which begins with the first verdict where it comes again.
CREATE FUNCTION reconciler.forget_consumer(consumer text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM reconciler.verdict_consumers AS known WHERE known.consumer = forget_consumer.consumer;
    RETURN FOUND;
END
$$;

-- Whoever writes a verdict, also a worker of before this: none goes without a position.
CREATE FUNCTION reconciler.note_unplaced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO reconciler.ledger_unplaced (decision_id, run_created_at, workspace_id)
    SELECT decision_id, run_created_at, workspace_id
    FROM added;
    RETURN NULL;
END
$$;

-- Waits for whoever writes the ledger now, so that each entry is either committed before this or noted by it.
CREATE TRIGGER ledger_waits_for_position AFTER INSERT ON reconciler.ledger
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.note_unplaced();

REVOKE EXECUTE ON FUNCTION
    reconciler.note_unplaced, reconciler.feed_stall, reconciler.place_verdicts, reconciler.place_of, reconciler.next_verdicts,
    reconciler.ack_verdicts, reconciler.forget_consumer
FROM PUBLIC;

-- As migration 8: whoever may write the ledger goes on doing so, and gives positions.
DO $$
DECLARE
    writer text;
BEGIN
    FOR writer IN
        SELECT quote_ident(pg_get_userbyid(entry.grantee))
        FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS entry
        WHERE class.oid = 'reconciler.ledger'::regclass
          AND entry.privilege_type = 'INSERT'
          AND entry.grantee NOT IN (0, class.relowner)
    LOOP
        EXECUTE format('GRANT SELECT ON reconciler.ledger_positions, reconciler.verdict_consumers TO %s', writer);
        EXECUTE format('GRANT EXECUTE ON FUNCTION reconciler.feed_stall, reconciler.place_verdicts TO %s', writer);
    END LOOP;
END
$$;
