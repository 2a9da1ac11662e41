//! PostgreSQL: the platform's own database.
//!
//! **Invariants:** every look and every settlement sets its transaction's own time zone and limits, so
//! that it does not matter what the session or a connection pooler left behind. Settlements see one snapshot
//! (`REPEATABLE READ`); a run that changed since is a serialization failure, which is tried again. Nothing
//! is kept in a session: locks, settings and migrations end with their transaction, and prepared statements
//! are the one thing that a pooler must look after. Only listening needs a session of its own.
//!
//! # Design notes
//!
//! Rows are written through `json_populate_recordset` over the platform's own row type. Arrays and
//! `UNNEST` would need the column types in the statement, and whether a column is `json` or `jsonb`,
//! with or without time zone, is for Laravel's migrations to choose.

mod address;
mod holders;
mod nodelay;
pub(super) mod shape;
pub(super) mod triggers;
pub(super) mod uninstall;
pub(super) mod upgrade;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub use address::{AddressError, ServerAddress, WantedServer, shown_query};
use futures_util::FutureExt as _;
use jiff::SignedDuration;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, FromRow, PgConnection};

use super::column::StoredMoment;
use super::distrust::Distrust;
use super::error::{During as _, Result, StoreError};
use super::limits::Limits;
use super::plans;
use super::statement::{Statement, Value, statement};
use super::transaction::{DatabaseTransaction, Interference, Tx};

/// Sets the time zone and the limits of a transaction that may write, where our schema is there.
const OPEN: Statement = statement!("read the database's clock", postgres "open_transaction");

/// Sets a reading transaction's time zone and limits; needs nothing of ours in the database.
const OPEN_READING: Statement = statement!(OPEN.step, postgres "open_reading");

/// The row of [`OPEN_READING`].
#[derive(FromRow)]
struct Opened {
    as_of: StoredMoment,
    now: StoredMoment,
    is_standby: bool,
    /// The tables of which rows may be hidden.
    hides_rows_of: String,
}

/// The row of [`OPEN`].
#[derive(FromRow)]
struct OpenedToWrite {
    #[sqlx(flatten)]
    opened: Opened,
    may_swallow: bool,
    may_hide: bool,
    is_unicode: bool,
    /// Where the platform is that our schema serves, and where the search path leads.
    bound_schema: Option<String>,
    found_schema: Option<String>,
    /// The versions of the migrations that were run to their end.
    migrations: String,
}

impl OpenedToWrite {
    /// Why nothing may be settled beside this schema, or from this platform.
    fn distrust(&self) -> Option<Distrust> {
        let (found, known) = (
            version_of(&self.migrations, &VERSIONS_KNOWN),
            newest(&VERSIONS_KNOWN),
        );
        if found != known {
            return Some(Distrust::OtherSchema { found, known });
        }
        let Some(bound) = self.bound_schema.clone() else {
            return Some(Distrust::Unbound);
        };
        match self.found_schema.clone() {
            None => Some(Distrust::NoPlatform(bound)),
            Some(found) if found != bound => Some(Distrust::OtherPlatform { bound, found }),
            Some(_) => None,
        }
    }
}

/// The migrations that this program brings along, in their order.
pub(super) static VERSIONS_KNOWN: LazyLock<Vec<i64>> = LazyLock::new(|| versions_of(&migrator()));

/// Connections of the library that delivers jobs: each of two queues looks, and shows that it is alive.
const QUEUE_CONNECTIONS_MAX: u32 = 2;

/// How long a connection that is to be lent may take to answer. Where it does not, a new one is lent, so that a
/// server that is merely slow loses nothing.
const LENT_ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// The same of one that comes back, perhaps in the middle of a statement that nobody waits for any more.
const RETURNED_ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Where the record of our own migrations is.
const OWN_RECORD: &str = "reconciler.migrations";

/// What a session is told that nobody may write in.
pub(super) const READ_ONLY: (&str, &str) = ("default_transaction_read_only", "on");

/// How long one statement of the library that delivers jobs may take, which gives none a limit of its own.
const QUEUE_ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long a sign of life may take, in the server: a little less than whoever sends one waits.
const PULSE_ANSWERS_WITHIN: Duration = Duration::from_millis(1_500);

/// How long it may wait for a lock, so that a lock is what it says.
const PULSE_LOCKS_WITHIN: Duration = Duration::from_secs(1);

/// What sessions are told that write no verdicts: where a standby does not confirm what is committed, signs of life and looks
/// for jobs go on.
const UNCONFIRMED: (&str, &str) = ("synchronous_commit", "local");

/// What every session is told, so that the server ends one that nobody can reach any more.
const NOT_FOR_EVER: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "15s"),
    ("tcp_keepalives_idle", "30s"),
    ("tcp_keepalives_interval", "10s"),
    ("tcp_keepalives_count", "3"),
];

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pub(super) pool: PgPool,
    /// For the library that delivers jobs alone. It drops looks in the middle of a transaction, and a
    /// connection may come back with that transaction still open: a statement of ours that is sent by itself
    /// would then be part of it, and never be committed.
    pub(super) queue: PgPool,
    /// For signs of life alone. It has one connection: while one sign hangs, in a lock or without an answer, there
    /// is never a second one.
    pub(super) pulse: PgPool,
    pub(super) limits: Limits,
    /// How far behind its primary the server was when it was last read from, in microseconds; less than nothing where
    /// it is a primary.
    behind: Arc<AtomicI64>,
    pub(super) wanted: WantedServer,
    /// Whether nothing of ours is in the database.
    pub(super) is_alone: bool,
}

impl PostgresStore {
    /// Connects with these settings of sessions, and fails if the database cannot be reached. A pooler that takes no
    /// settings with a connection leaves limits to transactions and to the role.
    pub(super) async fn connect(
        url: &str,
        settings: &[(&str, &str)],
        limits: &Limits,
    ) -> Result<Self> {
        let address = address_of(url)?;
        let settings = [settings, &NOT_FOR_EVER].concat();
        match Self::open_with(address.clone(), Some(&settings), limits).await {
            Err(error) if error.is_about_settings() => {
                tracing::debug!(%error, "sessions have no limits of their own, transactions do");
                Self::open_with(address, None, limits).await
            }
            opened => opened,
        }
    }

    async fn open_with(
        address: ServerAddress,
        settings: Option<&[(&str, &str)]>,
        limits: &Limits,
    ) -> Result<Self> {
        let wanted = address.wanted;
        let limits = Limits {
            connect_timeout: address.connect_timeout.unwrap_or(limits.connect_timeout),
            ..*limits
        };
        let options = address.into_options()?;
        let of_sessions = |statement_timeout: Duration, lock_timeout: Duration| match settings {
            // An empty list is sent as well, and a pooler refuses that too.
            None => options.clone(),
            Some(settings) => options
                .clone()
                .options([
                    ("statement_timeout", milliseconds(statement_timeout)),
                    ("lock_timeout", milliseconds(lock_timeout)),
                ])
                .options(settings.iter().copied()),
        };
        let own = of_sessions(limits.statement_timeout, limits.lock_timeout);
        let unconfirmed = |options: PgConnectOptions| match settings {
            None => options,
            Some(_) => options.options([UNCONFIRMED]),
        };
        let of_queue = unconfirmed(of_sessions(QUEUE_ANSWERS_WITHIN, QUEUE_ANSWERS_WITHIN));
        // Whoever sends signs of life says once that they are slow.
        let of_pulse = unconfirmed(of_sessions(PULSE_ANSWERS_WITHIN, PULSE_LOCKS_WITHIN))
            .disable_statement_logging();
        // The pool goes on trying until its time is up and then says only that; one attempt of our own
        // says at once, and why.
        let step = "connect to PostgreSQL";
        let first = PgConnection::connect_with(&own);
        let mut first = tokio::time::timeout(limits.connect_timeout, first)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)
            .flatten()
            .during(step)?;
        demand(&mut first, wanted).await.during(step)?;
        first.close().await.during(step)?;
        let of_at_most = |connections, options| {
            pooled(wanted)
                .max_connections(connections)
                .acquire_timeout(limits.connect_timeout)
                .connect_lazy_with(options)
        };
        Ok(Self {
            pool: of_at_most(limits.connections_max, own),
            queue: of_at_most(QUEUE_CONNECTIONS_MAX, of_queue),
            pulse: of_at_most(1, of_pulse),
            limits,
            behind: Arc::new(AtomicI64::new(-1)),
            wanted,
            is_alone: false,
        })
    }

    /// Opens one more session, and ends it. The pool repeats a refusal until its time is up, and then tells of that alone.
    pub(super) async fn try_session(&self) -> Result<()> {
        let step = "open a session";
        let mut pools = [&self.pool, &self.queue, &self.pulse].into_iter();
        if pools.all(|pool| pool.size() >= pool.options().get_max_connections()) {
            return Ok(()); // there are all that it wants: what one more is told says nothing
        }
        let session = PgConnection::connect_with(&self.pool.connect_options()).await;
        session.during(step)?.close().await.during(step)
    }

    /// Whether those who settle and those who take jobs get a session at once, however many there may be.
    pub(super) async fn lends_sessions(&self) -> bool {
        for pool in [&self.pool, &self.queue] {
            let lent = tokio::time::timeout(LENT_ANSWERS_WITHIN, pool.acquire()).await;
            if !matches!(lent, Ok(Ok(_))) {
                return false;
            }
        }
        true
    }

    /// A transaction that may write.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
            .await
    }

    /// A transaction that may write, and of which each statement sees what others have committed by then.
    pub(super) async fn begin_seeing_commits(&self) -> Result<DatabaseTransaction> {
        self.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await
    }

    async fn begin_with(&self, begin: &'static str) -> Result<DatabaseTransaction> {
        let tx = begin_whole(&self.pool, begin).await;
        let mut tx = Tx::Postgres(tx.during("begin a transaction")?);
        let values = &self.limits_of_transactions();
        let found: OpenedToWrite = tx.driver().fetch_one(OPEN, values).await?;
        let interference = Interference {
            may_swallow: found.may_swallow,
            may_hide: found.may_hide,
        };
        let distrust = found.distrust();
        let mut tx = self.opened(tx, found.opened, interference, distrust)?;
        tx.is_unicode = found.is_unicode;
        Ok(tx)
    }

    /// A transaction that sees one snapshot and cannot write.
    pub(super) async fn begin_read(&self) -> Result<DatabaseTransaction> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        let tx = begin_whole(&self.pool, begin).await;
        let mut tx = Tx::Postgres(tx.during("begin to read")?);
        let values = &self.limits_of_transactions();
        let found = tx.driver().fetch_one(OPEN_READING, values).await?;
        self.opened(tx, found, Interference::default(), None)
    }

    fn limits_of_transactions(&self) -> [Value<'static>; 2] {
        [self.limits.statement_timeout, self.limits.lock_timeout]
            .map(|limit| Value::from(milliseconds(limit)))
    }

    fn opened(
        &self,
        tx: Tx,
        opened: Opened,
        interference: Interference,
        distrust: Option<Distrust>,
    ) -> Result<DatabaseTransaction> {
        let trust = self.limits.trust;
        let is_hidden = !opened.hides_rows_of.is_empty() && !trust.row_security;
        let hidden = is_hidden.then_some(Distrust::HiddenRows(opened.hides_rows_of));
        let (as_of, now) = (opened.as_of.read(OPEN.step)?, opened.now.read(OPEN.step)?);
        if opened.is_standby {
            let behind = now.as_microsecond() - as_of.as_microsecond();
            self.behind.store(behind.max(0), Ordering::Relaxed);
        } else {
            self.behind.store(-1, Ordering::Relaxed);
        }
        let tx = DatabaseTransaction::new(tx, as_of, interference);
        let mut tx = tx.trusted(trust, distrust.or(hidden));
        tx.is_alone = self.is_alone;
        Ok(tx)
    }

    /// About how far behind its primary the server was when it was last read from, if it is a standby.
    pub(super) fn behind(&self) -> Option<SignedDuration> {
        let micros = self.behind.load(Ordering::Relaxed);
        (micros >= 0).then(|| SignedDuration::from_micros(micros))
    }

    /// This database, read with statements that name no table of ours, for where none is there yet.
    pub(super) fn alone(self) -> Self {
        Self {
            is_alone: true,
            ..self
        }
    }
}

/// A limit, as the server takes it.
fn milliseconds(limit: Duration) -> String {
    format!("{}ms", limit.as_millis())
}

/// Sets something for this transaction alone.
async fn set_local(connection: &mut PgConnection, name: &str, value: &str) -> sqlx::Result<()> {
    let set = sqlx::query(include_str!("sql/set_local.sql"));
    set.bind(name)
        .bind(value)
        .execute(connection)
        .await
        .map(drop)
}

/// Reads the URL of a server.
pub(super) fn address_of(url: &str) -> Result<ServerAddress> {
    ServerAddress::parse(url).map_err(|error| StoreError::fatal("read the database URL", error))
}

/// A pool that drops connections that do not answer, before it lends one and when it gets one back, and keeps none to
/// another server than is wanted: its name may lead elsewhere after a failover.
///
/// The pool's own tests have no limit but that of whoever waits, and what was cut without a word, as by a
/// firewall that forgot it, never answers: lent, each such connection would cost somebody all of his time;
/// given back, it would keep its place in the pool for as long as the system repeats what it has sent.
pub(super) fn pooled(wanted: WantedServer) -> PgPoolOptions {
    PgPoolOptions::new()
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            nodelay::send_at_once();
            demand(connection, wanted).boxed()
        })
        .before_acquire(|connection, of| answers(connection, of, LENT_ANSWERS_WITHIN).boxed())
        // The pool's own test follows this one, and can hardly fail any more.
        .after_release(|connection, of| answers(connection, of, RETURNED_ANSWERS_WITHIN).boxed())
}

/// Fails on another server than is wanted.
async fn demand(connection: &mut PgConnection, wanted: WantedServer) -> sqlx::Result<()> {
    let demand = match wanted {
        WantedServer::Any => return Ok(()),
        WantedServer::Primary => include_str!("sql/demand_primary.sql"),
        WantedServer::Standby => include_str!("sql/demand_standby.sql"),
    };
    sqlx::query(demand).execute(connection).await.map(drop)
}

/// Whether a connection answers in time, and remembers no plan that stopped fitting.
async fn answers(
    connection: &mut PgConnection,
    of: PoolConnectionMetadata,
    limit: Duration,
) -> sqlx::Result<bool> {
    if plans::may_be_outdated(of.age) {
        return Ok(false);
    }
    let answer = tokio::time::timeout(limit, connection.ping()).await;
    Ok(matches!(answer, Ok(Ok(()))))
}

/// The migrations of our own schema.
pub(crate) fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.create_schema("reconciler");
    migrator.dangerous_set_table_name(OWN_RECORD);
    migrator
}

/// The versions of some migrations, in their order.
pub(super) fn versions_of(migrator: &Migrator) -> Vec<i64> {
    migrator.iter().map(|it| it.version).collect()
}

/// The last of them.
pub(super) fn newest(versions: &[i64]) -> i64 {
    versions.last().copied().unwrap_or_default()
}

/// The newest of the migrations that were applied, as a list of their versions; where one of the known ones before it is
/// missing, the last before that.
pub(super) fn version_of(applied: &str, known: &[i64]) -> i64 {
    let applied = applied.split(' ').filter_map(|it| it.parse().ok());
    let applied: BTreeSet<i64> = applied.collect();
    let last = applied.last().copied().unwrap_or_default();
    let is_applied = |version: &&i64| applied.contains(*version);
    if known.iter().all(|it| *it > last || is_applied(&it)) {
        return last;
    }
    let whole = known.iter().take_while(is_applied);
    whole.last().copied().unwrap_or_default()
}

/// Begins a transaction in a task of its own, which comes to its end when the caller is dropped meanwhile: the
/// driver undoes what was begun, but not what is beginning, and the next statement on that connection would be
/// part of it.
async fn begin_whole(
    pool: &PgPool,
    begin: &'static str,
) -> sqlx::Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let pool = pool.clone();
    tokio::spawn(async move { pool.begin_with(begin).await })
        .await
        .unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
