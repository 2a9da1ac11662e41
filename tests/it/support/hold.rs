//! Keeps the settlement of a chosen run inside of its transaction, for as long as the test likes. PostgreSQL.
//!
//! A trigger has whoever closes run N wait for advisory lock N, which the test has. So a worker is surely between
//! the first write of a settlement and its commit when the test does something to it.

use sqlx::{Connection as _, PgConnection, raw_sql};

const TRIGGER: &str = "
    CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(new.id);
        RETURN new;
    END
    $$;
    CREATE OR REPLACE TRIGGER hold BEFORE UPDATE ON operation_runs FOR EACH ROW
        WHEN (old.status <> 'completed' AND new.status = 'completed') EXECUTE FUNCTION hold()";

/// How many sessions are held.
pub(crate) const WAITING: &str = "
    SELECT count(*)
    FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
    WHERE lock.locktype = 'advisory' AND NOT lock.granted AND session.datname = current_database()";

/// Holds one run's settlement until it is let go, at the end of the test at the latest.
pub(crate) struct Held(PgConnection);

/// Has the settlement of `run`, in the database at `url`, wait before it closes the run.
pub(crate) async fn hold(url: &str, run: i64) -> Held {
    let mut session = PgConnection::connect(url).await.expect("a connection");
    raw_sql(TRIGGER)
        .execute(&mut session)
        .await
        .expect("a trigger");
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(run)
        .execute(&mut session)
        .await
        .expect("nobody else has it");
    Held(session)
}

impl Held {
    pub(crate) async fn let_go(self) {
        self.0
            .close()
            .await
            .expect("the lock goes with its session");
    }
}
