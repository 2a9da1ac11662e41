-- The ledger by month of the run, and facts in a table of their own. This makes the tables beside the ledger and has each
-- new entry copied; `reconciler.copy_ledger` copies those that are there, some at a time, while workers go on; migration
-- 13 puts the new tables in the ledger's place. The manual's page about the database says what is for what.
SET LOCAL lock_timeout = '5s';

-- Views of others would keep the old ledger from going, after all of it was copied.
DO $$
DECLARE
    readers text;
BEGIN
    SELECT string_agg(DISTINCT rule.ev_class::regclass::text, ', ')
    INTO readers
    FROM pg_depend AS dependency JOIN pg_rewrite AS rule ON rule.oid = dependency.objid
    WHERE dependency.classid = 'pg_rewrite'::regclass
      AND dependency.refclassid = 'pg_class'::regclass
      AND dependency.refobjid = 'reconciler.ledger'::regclass
      AND rule.ev_class <> 'reconciler.verdicts'::regclass;
    IF readers IS NOT NULL THEN
        RAISE EXCEPTION 'views read reconciler.ledger, which gets another form; have them read reconciler.verdicts: %', readers;
    END IF;
END
$$;

CREATE TABLE reconciler.ledger_next (
    decision_id            text        NOT NULL,
    operation_run_id       bigint      NOT NULL,
    workspace_id           bigint      NOT NULL,
    managed_environment_id bigint,
    run_created_at         timestamptz,
    revision               integer     NOT NULL DEFAULT 1 CONSTRAINT ledger_revision_check CHECK (revision > 0),
    first_decision_id      text,
    outcome                text        NOT NULL
        CONSTRAINT ledger_outcome_check CHECK (outcome IN ('succeeded', 'partially_succeeded', 'blocked', 'failed')),
    reason_code            text        NOT NULL,
    ruleset                text        NOT NULL,
    facts_digest           text        NOT NULL
        CONSTRAINT ledger_facts_digest_check CHECK (facts_digest ~ '^[0-9a-f]{64}$'),
    -- Of programs that know no other place for them, and of entries whose digest is another one's.
    facts                  text,
    decision               text        NOT NULL,
    worker                 text        NOT NULL,
    source                 text        NOT NULL,
    decided_at             timestamptz NOT NULL,
    CONSTRAINT ledger_first_of_later CHECK ((revision = 1) = (first_decision_id IS NULL))
) PARTITION BY RANGE (run_created_at);

CREATE UNIQUE INDEX ledger_next_decisions ON reconciler.ledger_next (decision_id, run_created_at) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX ledger_next_once ON reconciler.ledger_next
    (operation_run_id, workspace_id, managed_environment_id, run_created_at, revision) NULLS NOT DISTINCT;
CREATE INDEX ledger_next_by_time ON reconciler.ledger_next (workspace_id, decided_at);

-- The later verdicts of runs that were judged anew. All but empty, so that asking whether an entry has one costs nothing,
-- however many months there are.
CREATE TABLE reconciler.ledger_revisions (
    first_decision_id text    NOT NULL,
    revision          integer NOT NULL CHECK (revision > 1),
    PRIMARY KEY (first_decision_id, revision)
);
CREATE FUNCTION reconciler.note_revision() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO reconciler.ledger_revisions VALUES (NEW.first_decision_id, NEW.revision);
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger_notes_revision AFTER INSERT ON reconciler.ledger_next
    FOR EACH ROW WHEN (NEW.revision > 1) EXECUTE FUNCTION reconciler.note_revision();

-- The facts of verdicts, in the exact text that was digested. They may be erased where their workspace has gone; an entry
-- of the ledger never is. The salt is for a digest that outlives them.
CREATE TABLE reconciler.ledger_facts (
    facts_digest   bytea       NOT NULL CHECK (octet_length(facts_digest) = 32),
    run_created_at timestamptz,
    workspace_id   bigint      NOT NULL,
    salt           bytea       NOT NULL DEFAULT uuid_send(gen_random_uuid()) CHECK (octet_length(salt) = 16),
    facts          text        NOT NULL
) PARTITION BY RANGE (run_created_at);

CREATE UNIQUE INDEX ledger_facts_by_digest ON reconciler.ledger_facts
    (facts_digest, run_created_at) NULLS NOT DISTINCT;

-- Where each entry stands among all: given without a gap, once it is committed. Nothing writes it yet.
CREATE TABLE reconciler.ledger_positions (
    position           bigint      NOT NULL PRIMARY KEY CHECK (position > 0),
    decision_id        text        NOT NULL,
    run_created_at     timestamptz,
    workspace_id       bigint      NOT NULL,
    -- The same among those of its workspace.
    workspace_position bigint      NOT NULL CHECK (workspace_position > 0),
    leaf               bytea       NOT NULL CHECK (octet_length(leaf) = 32),
    previous_leaf      bytea       CHECK (octet_length(previous_leaf) = 32),
    CHECK ((workspace_position = 1) = (previous_leaf IS NULL)),
    UNIQUE (workspace_id, workspace_position),
    UNIQUE NULLS NOT DISTINCT (decision_id, run_created_at)
);

-- What is left of a month that was archived. Nothing writes it yet.
CREATE TABLE reconciler.ledger_stubs (
    month          date        NOT NULL PRIMARY KEY CHECK (extract(day FROM month) = 1),
    entries        bigint      NOT NULL CHECK (entries > 0),
    first_position bigint      NOT NULL CHECK (first_position > 0),
    last_position  bigint      NOT NULL CHECK (last_position >= first_position),
    digest         bytea       NOT NULL CHECK (octet_length(digest) = 32),
    archive        text        NOT NULL,
    archive_digest bytea       NOT NULL CHECK (octet_length(archive_digest) = 32),
    archived_at    timestamptz NOT NULL
);

CREATE OR REPLACE FUNCTION reconciler.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'reconciler.% is insert-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'A verdict is final. Correct the platform and let a new run be reconciled.';
END
$$;
CREATE TRIGGER facts_are_final BEFORE UPDATE ON reconciler.ledger_facts
    FOR EACH ROW EXECUTE FUNCTION reconciler.refuse_change();
CREATE TRIGGER revisions_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciler.ledger_revisions
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();
CREATE TRIGGER positions_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciler.ledger_positions
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();
CREATE TRIGGER stubs_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciler.ledger_stubs
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change();

-- What facts say of when their run was created; nothing where they cannot be read.
CREATE FUNCTION reconciler.moment_in(facts text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN facts::json #>> '{run,created_at,at}';
EXCEPTION WHEN data_exception OR invalid_parameter_value THEN
    RETURN NULL;
END
$$;

-- Attaches a month to a partitioned table, or, without a month, what belongs to none. False where that is there, and where
-- rows of the month are among those that belong to none already, which then keep it.
CREATE FUNCTION reconciler.add_partition(parent regclass, name text, month date) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
    partition text := format('reconciler.%I', name || coalesce(to_char(month, '_YYYY_MM'), '_default'));
    remainder text := format('reconciler.%I', name || '_default');
    lower     timestamptz := month::timestamp AT TIME ZONE 'UTC';
    upper     timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
    is_taken  boolean := false;
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF month IS NOT NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE run_created_at >= $1 AND run_created_at < $2)', remainder)
            INTO is_taken USING lower, upper;
    END IF;
    IF is_taken THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', partition, parent);
    EXECUTE format(
        'ALTER TABLE %s ATTACH PARTITION %s %s', parent, partition,
        CASE WHEN month IS NULL THEN 'DEFAULT' ELSE format('FOR VALUES FROM (%L) TO (%L)', lower, upper) END
    );
    -- Row triggers come with the attachment, this does not.
    IF name = 'ledger' THEN
        EXECUTE format(
            'CREATE TRIGGER ledger_is_never_emptied BEFORE TRUNCATE ON %s
             FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_change()', partition
        );
    END IF;
    RETURN true;
EXCEPTION WHEN check_violation THEN
    RETURN false;
END
$$;

SELECT
    reconciler.add_partition('reconciler.ledger_next', 'ledger', NULL),
    reconciler.add_partition('reconciler.ledger_facts', 'ledger_facts', NULL);
CREATE INDEX ledger_default_by_month ON reconciler.ledger_default (run_created_at);
CREATE INDEX ledger_facts_default_by_month ON reconciler.ledger_facts_default (run_created_at);
-- The months of restores that may still be open, and those to come.
SELECT
    reconciler.add_partition('reconciler.ledger_next', 'ledger', month::date),
    reconciler.add_partition('reconciler.ledger_facts', 'ledger_facts', month::date)
FROM date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC') AS this (first)
CROSS JOIN LATERAL generate_series(first - interval '3 months', first + interval '12 months', '1 month') AS month;

-- How far the ledger was copied.
CREATE TABLE reconciler.ledger_copying (
    the_one       boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (the_one),
    through       text    NOT NULL DEFAULT '',
    copied        bigint  NOT NULL DEFAULT 0,
    entries       bigint  NOT NULL
);
INSERT INTO reconciler.ledger_copying (entries) SELECT count(*) FROM reconciler.ledger;

-- When the run of an older entry was created. Entries from before migration 8 say so in their facts alone; where another
-- entry has that place already, as workers of either kind beside each other once brought about, they keep none.
CREATE FUNCTION reconciler.moment_of(entry reconciler.ledger) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moment timestamptz := entry.run_created_at;
BEGIN
    IF moment IS NULL THEN
        moment := reconciler.moment_in(entry.facts);
        PERFORM FROM reconciler.ledger AS other
        WHERE other.operation_run_id = entry.operation_run_id
          AND (other.workspace_id, other.managed_environment_id, other.revision)
              IS NOT DISTINCT FROM (entry.workspace_id, entry.managed_environment_id, entry.revision)
          AND other.run_created_at = moment;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN moment;
END
$$;

-- Copies entries that were not copied yet. Facts whose digest is another one's stay with their entry, for whoever looks
-- into it.
CREATE FUNCTION reconciler.copy_entries(ids text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH entry AS MATERIALIZED (
        SELECT
            decision_id, operation_run_id, workspace_id, managed_environment_id,
            coalesce(run_created_at, reconciler.moment_of(ledger)) AS run_created_at, revision, first_decision_id,
            outcome, reason_code, ruleset, facts_digest, facts,
            sha256(convert_to(facts, 'UTF8')) = decode(facts_digest, 'hex') AS is_whole, decision, worker, source, decided_at
        FROM reconciler.ledger
        WHERE decision_id = ANY (ids)
    ), kept AS (
        INSERT INTO reconciler.ledger_facts (facts_digest, run_created_at, workspace_id, facts)
        SELECT decode(facts_digest, 'hex'), run_created_at, workspace_id, facts
        FROM entry
        WHERE is_whole
        ON CONFLICT (facts_digest, run_created_at) DO NOTHING
    )
    INSERT INTO reconciler.ledger_next (
        decision_id, operation_run_id, workspace_id, managed_environment_id, run_created_at, revision,
        first_decision_id, outcome, reason_code, ruleset, facts_digest, facts, decision, worker, source, decided_at
    )
    SELECT
        decision_id, operation_run_id, workspace_id, managed_environment_id, run_created_at, revision,
        first_decision_id, outcome, reason_code, ruleset, facts_digest, CASE WHEN NOT is_whole THEN facts END, decision,
        worker, source, decided_at
    FROM entry
    ON CONFLICT (decision_id, run_created_at) DO NOTHING
$$;

CREATE FUNCTION reconciler.copy_added() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM reconciler.copy_entries(ARRAY(SELECT decision_id FROM added));
    RETURN NULL;
END
$$;

-- Waits for whoever writes the ledger now, so that each entry is either here already or will be copied by this.
CREATE TRIGGER ledger_is_copied AFTER INSERT ON reconciler.ledger
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler.copy_added();

-- Copies the next entries, and says about how many are left: none where it is 0.
CREATE FUNCTION reconciler.copy_ledger(entries_max integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    place reconciler.ledger_copying;
    ids   text[];
BEGIN
    SELECT * INTO place FROM reconciler.ledger_copying FOR UPDATE;
    ids := ARRAY(
        SELECT decision_id FROM reconciler.ledger
        WHERE decision_id > place.through
        ORDER BY decision_id
        LIMIT entries_max
    );
    IF cardinality(ids) > 0 THEN
        -- As many months back as anybody may want to look into by themselves.
        PERFORM
            reconciler.add_partition('reconciler.ledger_next', 'ledger', month),
            reconciler.add_partition('reconciler.ledger_facts', 'ledger_facts', month)
        FROM (
            SELECT DISTINCT date_trunc('month', run_created_at AT TIME ZONE 'UTC')::date AS month
            FROM (
                SELECT coalesce(run_created_at, reconciler.moment_of(ledger)) AS run_created_at
                FROM reconciler.ledger
                WHERE decision_id = ANY (ids)
            ) AS entry
            WHERE run_created_at >= statement_timestamp() - interval '240 months'
              AND run_created_at < statement_timestamp()
        ) AS months;
        PERFORM reconciler.copy_entries(ids);
        UPDATE reconciler.ledger_copying
        SET through = ids[cardinality(ids)], copied = place.copied + cardinality(ids);
    END IF;
    IF cardinality(ids) < entries_max THEN
        RETURN 0;
    END IF;
    RETURN greatest(place.entries - place.copied - cardinality(ids), 1);
END
$$;

REVOKE EXECUTE ON FUNCTION
    reconciler.note_revision, reconciler.moment_in, reconciler.moment_of, reconciler.add_partition,
    reconciler.copy_entries, reconciler.copy_added, reconciler.copy_ledger
FROM PUBLIC;
