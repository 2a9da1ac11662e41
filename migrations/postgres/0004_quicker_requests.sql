-- A function in SQL is planned anew at each call from another function, which was a good part of what a request
-- cost. This one is planned once per session, and gives the same ids.
CREATE OR REPLACE FUNCTION reconciler.job_id() RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN '0'
        || upper(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0'))
        || upper(right(replace(gen_random_uuid()::text, '-', ''), 13));
END
$$;

-- The caller's transaction waits while the run is looked up. With IS TRUE the planner finds it by its id; without,
-- and with statistics from a time when hardly any run was open, it would read every open run.
DO $$
DECLARE
    definition text := pg_get_functiondef('reconciler.request(bigint, text)'::regprocedure);
    condition  text := $sql$run.status IN ('queued', 'running')$sql$;
BEGIN
    IF position(condition IN definition) = 0 THEN
        RAISE EXCEPTION 'reconciler.request is not as migration 2 left it';
    END IF;
    EXECUTE replace(definition, condition, format('(%s) IS TRUE', condition));
END
$$;
