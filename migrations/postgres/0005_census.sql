-- What workers last read of the whole database. One of them reads at a time, and all of them export what it found,
-- so that a number is the same whoever is asked, and asking more of them costs no more.
CREATE TABLE reconciler.census (
    the_one    boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (the_one),
    claimed_at timestamptz NOT NULL,
    worker     text        NOT NULL,
    as_of      timestamptz,
    counts     text
);

-- When a run was asked for, by this server's clock, so that whoever settles it can tell how long it waited.
DO $$
DECLARE
    definition text := pg_get_functiondef('reconciler.request(bigint, text)'::regprocedure);
    cause      text := $sql$'cause', left(coalesce(request.cause, 'platform'), 64),$sql$;
BEGIN
    IF position(cause IN definition) = 0 THEN
        RAISE EXCEPTION 'reconciler.request is not as migration 4 left it';
    END IF;
    EXECUTE replace(
        definition,
        cause,
        cause || $sql$
                    'asked_at', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,$sql$
    );
END
$$;
