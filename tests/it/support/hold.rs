//! Keeps workers waiting for as long as a test likes.
//!
//! On PostgreSQL the settlement of a chosen run, inside of its transaction: a trigger has whoever closes run N wait
//! for advisory lock N, which the test has. So a worker is surely between the first write of a settlement and its
//! commit when the test does something to it. On SQLite everybody who would write into a file.

use restore_reconciler::internals::storage::queue_file;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection, raw_sql};

use super::roles::{Purpose, connect};

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
    let mut session = connect(Purpose::Engineer, url).await;
    let trigger = raw_sql(TRIGGER).execute(&mut session).await;
    trigger.expect("a trigger");
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(run);
    let locked = lock.execute(&mut session).await;
    locked.expect("nobody else has it");
    Held(session)
}

impl Held {
    pub(crate) async fn let_go(self) {
        let closed = self.0.close().await;
        closed.expect("the lock goes with its session");
    }
}

/// The only writer of a file, until it lets go.
pub(crate) struct Writer(SqliteConnection);

impl Writer {
    /// Of the database at `url`: nothing is settled meanwhile.
    pub(crate) async fn of_platform(url: &str) -> Self {
        Self::of(url.parse().expect("a URL")).await
    }

    /// Of the file beside it: no job is taken or acknowledged meanwhile.
    pub(crate) async fn of_queue(url: &str) -> Self {
        let platform: SqliteConnectOptions = url.parse().expect("a URL");
        let queue = queue_file(platform.get_filename());
        Self::of(platform.filename(queue)).await
    }

    async fn of(options: SqliteConnectOptions) -> Self {
        let mut connection = options.connect().await.expect("the file opens");
        let begun = raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await;
        begun.expect("nobody else writes for long");
        Self(connection)
    }

    /// Has a statement take effect, and begins anew. Whoever waits to write meanwhile may get in between.
    pub(crate) async fn execute(&mut self, statement: &'static str) {
        for statement in [statement, "COMMIT", "BEGIN IMMEDIATE"] {
            let executed = raw_sql(statement).execute(&mut self.0).await;
            executed.expect("nobody else writes meanwhile");
        }
    }

    pub(crate) async fn let_go(self) {
        self.0.close().await.expect("its transaction ends with it");
    }
}
