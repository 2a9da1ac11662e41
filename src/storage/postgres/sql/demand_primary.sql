-- demand_primary: fails on a standby, for those who ask for a server that takes writes.
DO $$
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a standby, and target_session_attrs asks for the primary'
            USING ERRCODE = 'read_only_sql_transaction';
    END IF;
END
$$
