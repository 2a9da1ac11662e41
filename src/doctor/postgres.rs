//! What `doctor` looks at on PostgreSQL: a list of statements, and one runner.
//!
//! Each statement judges what the catalogue says, which every role may read, and returns its checks. They run on one
//! connection, one by one and not in a transaction: what is wrong with one must not take the others along.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::postgres::{PgConnection, PgPool, PgSslMode};

use super::check::{
    Applied, CHECK_THE_URL, Check, Level, MIGRATE, answer, judge_clock, judge_migrations, judged,
};
use super::indexes::{WANTED, Wanted};
use super::needs::NeededTable;
use super::purpose::{Examination, Located, Purpose};
use super::rights::{self, Rights};
use crate::clock;
use crate::storage::postgres::migrator;
use crate::storage::{During as _, Store, StoreError, find_damage};

/// One statement that returns checks.
struct Probe {
    /// What is said to be unexaminable where the statement fails.
    subject: &'static str,
    /// The step that is named then.
    step: &'static str,
    statement: &'static str,
}

const SERVER: Probe = Probe {
    subject: "server",
    step: "ask the server what it is",
    statement: include_str!("postgres/server.sql"),
};
const NEEDED: Probe = Probe {
    subject: "platform",
    step: "look for tables",
    statement: include_str!("postgres/tables.sql"),
};
const OWN: Probe = Probe {
    subject: "schema reconciler",
    step: "look for our own schema",
    statement: include_str!("postgres/own.sql"),
};
const BINDING: Probe = Probe {
    subject: "platform served",
    step: "ask which platform our schema serves",
    statement: include_str!("postgres/binding.sql"),
};
const LEDGER: Probe = Probe {
    subject: "ledger months",
    step: "look at the ledger's months",
    statement: include_str!("postgres/ledger.sql"),
};
const FEED: Probe = Probe {
    subject: "verdict feed",
    step: "look at the verdict feed",
    statement: include_str!("postgres/feed.sql"),
};
const NEIGHBOURS: Probe = Probe {
    subject: "neighbours",
    step: "look at how runs are called",
    statement: include_str!("postgres/neighbours.sql"),
};
const QUEUE: Probe = Probe {
    subject: "queue",
    step: "look for the queue",
    statement: include_str!("postgres/queue.sql"),
};

/// A check as a statement returns it.
#[derive(FromRow)]
pub(super) struct CheckRow {
    subject: String,
    level: String,
    finding: String,
    action: Option<String>,
}

impl From<CheckRow> for Check {
    fn from(found: CheckRow) -> Self {
        Self {
            subject: found.subject,
            level: match found.level.as_str() {
                "good" => Level::Good,
                "advice" => Level::Advice,
                _ => Level::Problem,
            },
            finding: found.finding,
            action: found.action,
        }
    }
}

impl Probe {
    async fn run(
        &self,
        connection: &mut PgConnection,
        tables: &[Located],
    ) -> Result<Vec<CheckRow>, StoreError> {
        let needs: Vec<Sought<'_>> = tables
            .iter()
            .map(|(table, oid)| Sought { table, oid: *oid })
            .collect();
        // Holds nothing but texts, numbers and flags, so it can be written.
        let needs = serde_json::to_string(&needs).unwrap_or_default();
        sqlx::query_as(self.statement)
            .bind(needs)
            .bind(CHECK_THE_URL)
            .bind(MIGRATE)
            .fetch_all(connection)
            .await
            .during(self.step)
    }
}

/// A table, as statements take it.
#[derive(Serialize)]
struct Sought<'t> {
    #[serde(flatten)]
    table: &'t NeededTable,
    oid: Option<i64>,
}

/// Who asks.
#[derive(FromRow)]
struct Asking {
    name: String,
    quoted: String,
    purpose: Purpose,
    /// Nothing tells it.
    is_guessed: bool,
}

/// What is looked at for everybody who looks at runs: one connection, and what was asked for first.
struct RoleView<'c> {
    connection: &'c mut PgConnection,
    purpose: Purpose,
    /// Nobody said it, and nothing tells it.
    is_guessed: bool,
    /// The role's name, quoted where it must be.
    role: String,
    tables: Vec<Located>,
    rights: Rights,
}

pub(super) async fn examine(
    store: &Store,
    pool: &PgPool,
    purpose: Option<Purpose>,
) -> Result<Examination, StoreError> {
    let mut connection = pool.acquire().await.during("reach the database")?;
    let mut checks = match answer(SERVER.subject, SERVER.run(&mut connection, &[]).await)? {
        Ok(found) => checks_of(found),
        Err(check) => {
            let checks = vec![*check];
            return Ok(Examination { purpose, checks });
        }
    };
    checks.extend(look_at_encryption(&mut connection, pool).await?);
    let mut purpose = purpose;
    match answer("role", RoleView::begin(&mut connection, purpose).await)? {
        Ok(mut look) => {
            purpose = Some(look.purpose);
            checks.extend(look.is_guessed.then(|| look.ask_what_for()));
            checks.extend(look.examine().await?);
        }
        Err(check) => checks.push(*check),
    }
    // The clock is read through the pool, which may hold no more than this one.
    drop(connection);
    checks.extend(look_at_clock(store).await?);
    Ok(Examination { purpose, checks })
}

impl<'c> RoleView<'c> {
    async fn begin(
        connection: &'c mut PgConnection,
        purpose: Option<Purpose>,
    ) -> Result<Self, StoreError> {
        let tables = rights::locate(connection).await?;
        let runs = rights::place_of("operation_runs", &tables);
        let asking: Asking = sqlx::query_as(include_str!("postgres/purpose.sql"))
            .bind(runs)
            .fetch_one(&mut *connection)
            .await
            .during("ask which role this is")?;
        let is_guessed = purpose.is_none() && asking.is_guessed;
        let purpose = purpose.unwrap_or(asking.purpose);
        let rights = rights::load(connection, &purpose.rights(&tables), Some(&asking.name)).await?;
        Ok(Self {
            connection,
            purpose,
            is_guessed,
            role: asking.quoted,
            tables,
            rights,
        })
    }

    async fn run(&mut self, probe: &Probe) -> Result<Vec<Check>, StoreError> {
        let found = probe.run(self.connection, &self.tables).await;
        judged(probe.subject, found, checks_of)
    }

    /// Everything but the server and the clock.
    async fn examine(&mut self) -> Result<Vec<Check>, StoreError> {
        if self.purpose == Purpose::Platform {
            let mut checks = self.judge("own");
            checks.extend(self.rights.judge_absent("the platform calls it", MIGRATE));
            return Ok(checks);
        }
        let mut checks = self.run(&NEEDED).await?;
        let is_whole = checks.iter().all(|check| check.level != Level::Problem);
        let of_platform = self.judge("platform");
        let is_open = of_platform
            .iter()
            .all(|check| check.level != Level::Problem);
        checks.extend(of_platform);
        if is_whole && is_open && self.purpose.reads_proof() {
            checks.extend(self.run(&NEIGHBOURS).await?);
        }
        let tables = load_tables(self.connection).await;
        checks.extend(judged("indexes", tables, judge_indexes)?);
        checks.extend(self.judge("console"));
        if self.purpose == Purpose::Console {
            let shown = "the console (`serve`) shows it";
            checks.extend(self.rights.judge_absent(shown, CHECK_THE_URL));
        }
        let mut is_migrated = false;
        match examine_own(self.connection, &self.tables).await? {
            Ok(found) => {
                is_migrated = found.iter().all(|check| check.level == Level::Good);
                checks.extend(found);
                if is_migrated && self.rights.lacks_none_of("reconciler.platform") {
                    checks.extend(self.run(&BINDING).await?);
                }
                let rights = self.judge("own");
                let is_open = rights.iter().all(|check| check.level != Level::Problem);
                checks.extend(rights);
                if is_migrated && is_open && self.purpose.reads_proof() {
                    checks.extend(self.run(&LEDGER).await?);
                    if self.purpose == Purpose::Worker {
                        checks.extend(self.run(&FEED).await?);
                    }
                }
            }
            Err(check) => checks.push(*check),
        }
        checks.extend(self.judge("queue"));
        checks.extend(self.run(&QUEUE).await?);
        checks.extend(self.examine_made(is_migrated).await?);
        let request = rights::look_at_request(self.connection, &self.tables).await;
        checks.extend(judged("reconciler.request", request, |found| found)?);
        Ok(checks)
    }

    /// Whether all that migrations made is there.
    async fn examine_made(&mut self, is_migrated: bool) -> Result<Vec<Check>, StoreError> {
        let subject = "what migrations made";
        let is_bound = is_migrated && self.rights.lacks_none_of("reconciler.platform");
        let damage = match answer(subject, find_damage(self.connection, is_bound).await)? {
            Ok(damage) => damage,
            Err(check) => return Ok(vec![*check]),
        };
        // The queue's own check is about triggers on the platform's tables.
        let damage = damage
            .iter()
            .filter(|it| !(it.is_said_elsewhere() || it.is_of_platform()));
        let mut checks: Vec<Check> = damage
            .map(|it| Check::problem(it.subject(), it.finding(), it.action()))
            .collect();
        if checks.is_empty() && is_bound {
            checks.push(Check::good(subject, "All of it is there as it was made."));
        }
        Ok(checks)
    }

    fn ask_what_for(&self) -> Check {
        Check::problem(
            "purpose",
            format!(
                "Nothing tells what role {} is for, so what follows is what a worker lacks.",
                self.role
            ),
            "restore-reconciler doctor --as worker|observer|console|platform|migrator",
        )
    }

    fn judge(&self, part: &str) -> Vec<Check> {
        self.rights.judge(part, &self.role)
    }
}

/// How a session reaches the server.
#[derive(FromRow)]
struct Reached {
    is_encrypted: bool,
    protocol: String,
    is_socket: bool,
    is_loopback: bool,
}

async fn look_at_encryption(
    connection: &mut PgConnection,
    pool: &PgPool,
) -> Result<Vec<Check>, StoreError> {
    let subject = "encryption";
    let reached = sqlx::query_as(include_str!("postgres/encryption.sql"))
        .fetch_one(connection)
        .await
        .during("ask whether the connection is encrypted");
    let mode = pool.connect_options().get_ssl_mode();
    judged(subject, reached, |it| {
        [judge_encryption(subject, &it, mode)]
    })
}

fn judge_encryption(subject: &str, reached: &Reached, mode: PgSslMode) -> Check {
    if reached.is_encrypted {
        let checked = match mode {
            PgSslMode::VerifyFull => "the server's name and certificate are checked",
            PgSslMode::VerifyCa => "the server's certificate is checked, and not its name",
            _ => "who answers is not checked, as sslmode=verify-full would have it",
        };
        let protocol = &reached.protocol;
        return Check::good(
            subject,
            format!("The connection is encrypted ({protocol}); {checked}."),
        );
    }
    let finding = "The connection is not encrypted";
    if reached.is_socket || reached.is_loopback {
        return Check::good(
            subject,
            format!("{finding}, and does not leave this machine."),
        );
    }
    Check::advice(
        subject,
        format!("{finding}: whoever is on the way to the server can read and change what is said."),
        "Write sslmode=verify-full into RECONCILER_DATABASE_URL; the server needs `ssl = on` and a certificate.",
    )
}

pub(super) fn checks_of(found: impl IntoIterator<Item = CheckRow>) -> Vec<Check> {
    found.into_iter().map(Check::from).collect()
}

/// Our own schema: there, whole, and of this program's age.
async fn examine_own(
    connection: &mut PgConnection,
    tables: &[Located],
) -> Result<Result<Vec<Check>, Box<Check>>, StoreError> {
    let found = OWN.run(&mut *connection, tables).await;
    let mut found = match answer(OWN.subject, found)? {
        Ok(found) => found,
        Err(check) => return Ok(Err(check)),
    };
    let is_recorded = found.first().is_some_and(|state| state.level == "record");
    let mut checks = Vec::new();
    if is_recorded {
        let applied = sqlx::query_as::<_, Applied>(include_str!("postgres/applied.sql"))
            .fetch_all(connection)
            .await
            .during("read which migrations were run");
        match answer(OWN.subject, applied)? {
            Ok(applied) => checks.push(judge_migrations(OWN.subject, &applied, &migrator())),
            Err(check) => return Ok(Err(check)),
        }
        found.remove(0);
    }
    checks.extend(checks_of(found));
    // Tables that a migration is yet to create are its business.
    if checks
        .first()
        .is_some_and(|state| state.action.as_deref() == Some(MIGRATE))
    {
        checks.truncate(1);
    }
    Ok(Ok(checks))
}

async fn look_at_clock(store: &Store) -> Result<Vec<Check>, StoreError> {
    let before = clock::wall();
    let database = store.now().await;
    let after = clock::wall();
    judged("clock", database, |it| [judge_clock(before, it, after)])
}

/// A table that an index is wanted on.
#[derive(FromRow)]
struct Indexed {
    name: String,
    qualified_name: String,
    is_table: bool,
    /// A JSON list of [`Index`].
    indexes: String,
}

#[derive(Deserialize)]
struct Index {
    name: String,
    qualified_name: String,
    is_valid: bool,
    columns: Vec<String>,
    /// A partial index's condition, as the server prints it.
    predicate: Option<String>,
}

async fn load_tables(connection: &mut PgConnection) -> Result<Vec<Indexed>, StoreError> {
    let names: Vec<&str> = WANTED.iter().map(|wanted| wanted.table).collect();
    sqlx::query_as(include_str!("postgres/indexes.sql"))
        .bind(names)
        .fetch_all(connection)
        .await
        .during("look for indexes")
}

fn judge_indexes(tables: Vec<Indexed>) -> impl Iterator<Item = Check> {
    WANTED.iter().filter_map(move |wanted| {
        let table = tables
            .iter()
            .find(|it| it.is_table && it.name == wanted.table)?;
        Some(judge_index(wanted, table))
    })
}

fn judge_index(wanted: &Wanted, table: &Indexed) -> Check {
    let subject = wanted.subject;
    let indexes: Vec<Index> = serde_json::from_str(&table.indexes).unwrap_or_default();
    let serves = |index: &&Index| wanted.is_served_by(&index.columns, index.predicate.as_deref());
    let mut serving = indexes.iter().filter(serves);
    if let Some(index) = serving.clone().find(|index| index.is_valid) {
        return Check::good(subject, format!("{} serves.", index.qualified_name));
    }
    let create = format!(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS {} ON {} {};",
        wanted.name, table.qualified_name, wanted.definition
    );
    // Left by an attempt that failed. It slows writes and helps nobody, and under the same name it
    // would keep the statement from doing anything.
    let is_torn = |index: &&Index| index.name == wanted.name && !index.is_valid;
    match serving.next().or_else(|| indexes.iter().find(is_torn)) {
        Some(torn) => Check::advice(
            subject,
            format!(
                "{} was not built to its end; without it, {}.",
                torn.qualified_name, wanted.purpose
            ),
            format!(
                "DROP INDEX CONCURRENTLY IF EXISTS {};\n{create}",
                torn.qualified_name
            ),
        ),
        None => Check::advice(subject, format!("Without one, {}.", wanted.purpose), create),
    }
}
