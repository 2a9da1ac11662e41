-- The run that a job asks for, read from its payload as a worker reads it; null where a worker could not.
CREATE FUNCTION reconciler.run_of(payload bytea) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
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
