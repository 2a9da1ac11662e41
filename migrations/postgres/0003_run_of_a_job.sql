-- The run that a job asks for, read from its payload; null where a worker could not read it. For lists: what is
-- settled is decided by the worker's own reader.
CREATE FUNCTION reconciler.run_of(payload bytea) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said json;
BEGIN
    said := convert_from(payload, 'UTF8')::json;
    IF coalesce(json_typeof(said -> 'cause'), 'null') IN ('string', 'null')
        AND coalesce(json_typeof(said -> 'traceparent'), 'null') IN ('string', 'null')
        AND json_typeof(said -> 'run') = 'number'
    THEN
        RETURN (said ->> 'run')::bigint;
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;
