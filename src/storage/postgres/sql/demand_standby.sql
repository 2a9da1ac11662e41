-- demand_standby: fails on a primary, for those who ask for a standby, as a server that is not to be had just now.
DO $$
BEGIN
    IF NOT pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a primary, and target_session_attrs asks for a standby'
            USING ERRCODE = 'cannot_connect_now';
    END IF;
END
$$
