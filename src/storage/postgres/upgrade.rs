//! Migrating: what it meets in a database, what it would run there, and running it.
//!
//! **Invariant:** migrations are run by one process at a time, all that are due of one schema or none, but for the stop
//! in which an older ledger is copied; and nothing before it is known that nothing stands in the way.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use sqlx::migrate::{Migration, Migrator};
use sqlx::postgres::PgPool;
use sqlx::{FromRow, PgConnection, Postgres, Transaction, raw_sql};

use super::holders::LockWaiter;
use super::shape::{self, Damage};
use super::{OWN_RECORD, migrator, milliseconds, set_local};
use crate::storage::error::{During as _, Result, StoreError};
use crate::storage::transaction::with_retries;

/// Lets one process migrate at a time.
const LOCK: &str = include_str!("sql/lock_migrations.sql");

/// Removes what older migrations of the library that delivers jobs leave behind.
const CORRECT_QUEUE: &str = include_str!("sql/correct_queue.sql");

/// Where the library that delivers jobs keeps its own.
const QUEUE_RECORD: &str = "apalis._sqlx_migrations";

/// Where hstore is put by somebody who may not put it beside the platform's tables.
const OWN_SCHEMA: &str = "reconciler";

/// The migration after which an older ledger is copied, before the next one puts the copy in its place.
const COPIED_AFTER: i64 = 12;

/// How many times the turn to migrate is waited for, five seconds each.
const TURNS_MAX: u32 = 12;

/// How often a repair begins anew.
const REPAIRS_MAX: u32 = 3;

/// How many entries of an older ledger are copied in one transaction.
const COPY_ENTRIES_MAX: i32 = 2_000;

/// The database as it is before it is migrated. Names are quoted where they must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The role that migrates, as it is.
    pub role_name: String,
    /// Our own schema.
    pub own: SchemaState,
    /// The schema of the library that delivers jobs.
    pub queue: SchemaState,
    /// The extensions that would be created.
    pub extensions: Vec<NewExtension>,
    /// What stands in the way; nothing is written while there is any.
    pub obstacles: Vec<MigrationObstacle>,
    /// The platform that our schema serves; none before that was asked for.
    pub binding: Option<Binding>,
    /// What is missing or different of what migrations made, where all were run.
    pub damage: Vec<Damage>,
    /// Where our own migrations look for the platform's tables.
    platform_schema: String,
    /// Where extensions are created, and where those are that are there already: a search path.
    extension_schema: String,
    /// Whether the role may create schemas, which the migrator does even where they are there.
    may_create: bool,
    /// What stands in the way of hstore, where that is to be made again.
    lacking_extension: Option<MigrationObstacle>,
}

/// How far a schema was migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaState {
    /// The newest migration that was run; none where there is no schema.
    pub version: Option<i64>,
    /// Those that are yet to be run, in their order.
    pub pending: Vec<i64>,
}

/// Which platform our schema serves.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Binding {
    /// The platform's schema, quoted where it must be.
    pub schema: String,
    /// What tells this installation from every other.
    pub install_id: String,
}

/// An extension that would be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExtension {
    /// Its name.
    pub name: String,
    /// The schema that its types and functions would be in.
    pub schema: String,
}

/// Something that somebody has to change first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationObstacle {
    /// What it is, in one sentence.
    pub finding: String,
    /// What to do, ready to be pasted where it is a statement.
    pub action: String,
}

#[derive(FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "an answer of the catalogue each"
)]
struct BeforeMigrating {
    database: String,
    role: String,
    role_name: String,
    is_superuser: bool,
    may_create: bool,
    platform_schema: Option<String>,
    may_create_beside_platform: bool,
    own_owner: Option<String>,
    is_own_mine: Option<bool>,
    queue_owner: Option<String>,
    is_queue_mine: Option<bool>,
    is_own_recorded: bool,
    is_bound: bool,
    is_queue_recorded: bool,
    /// A JSON list of [`Extension`].
    extensions: String,
    /// Where hstore is already.
    hstore_schema: Option<String>,
    may_name_hstore: Option<bool>,
}

/// Where there is no platform.
const ANY_SCHEMA: &str = "public";

#[derive(Deserialize)]
struct Extension {
    name: String,
    is_there: bool,
    is_available: bool,
    is_trusted: bool,
}

/// Looks; writes nothing.
pub(in crate::storage) async fn look(pool: &PgPool, queue: &Migrator) -> Result<Ground> {
    let step = "look at what migrating would meet";
    let before: BeforeMigrating = sqlx::query_as(include_str!("sql/look_before_migrating.sql"))
        .fetch_one(pool)
        .await
        .during(step)?;
    let own = include_str!("sql/applied_own.sql");
    let own = applied(pool, before.is_own_recorded, before.is_own_mine, own).await?;
    let jobs = include_str!("sql/applied_queue.sql");
    let jobs = applied(pool, before.is_queue_recorded, before.is_queue_mine, jobs).await?;
    let mut binding = None;
    if before.is_bound && before.is_own_mine != Some(false) {
        let mut connection = pool.acquire().await.during(step)?;
        binding = load_binding(&mut connection).await?;
    }
    Ok(Ground {
        binding,
        ..before.judge(&own, &jobs, queue)
    })
}

/// What is missing or different of what migrations made: of the queue where that was ever migrated, and of our own schema
/// where that is at the newest migration.
pub async fn find_damage(
    connection: &mut PgConnection,
    is_own_migrated: bool,
) -> Result<Vec<Damage>> {
    let mut runs = None;
    if is_own_migrated {
        let bound = load_binding(connection).await?;
        runs = bound.map(|bound| runs_in(&bound.schema));
    }
    shape::find(connection, is_own_migrated, runs.as_deref()).await
}

/// Which platform our schema serves; none where the row that says so is gone.
async fn load_binding(connection: &mut PgConnection) -> Result<Option<Binding>> {
    sqlx::query_as(include_str!("sql/load_binding.sql"))
        .fetch_optional(connection)
        .await
        .during("ask which platform our schema serves")
}

/// As [`look`], and at what migrations made, where all were run.
pub(in crate::storage) async fn survey(pool: &PgPool, queue: &Migrator) -> Result<Ground> {
    let mut ground = look(pool, queue).await?;
    if ground.is_migrated() {
        let step = "look at what migrations have made";
        let mut connection = pool.acquire().await.during(step)?;
        ground.damage = shape::find(&mut connection, true, Some(&ground.runs())).await?;
        if ground.damage.iter().any(Damage::is_extension) {
            ground.obstacles.extend(ground.lacking_extension.take());
        }
    }
    Ok(ground)
}

/// Nothing is read of a schema that is somebody else's: that alone is an obstacle.
async fn applied(
    pool: &PgPool,
    is_recorded: bool,
    is_mine: Option<bool>,
    statement: &'static str,
) -> Result<Vec<i64>> {
    if !is_recorded || is_mine == Some(false) {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(statement)
        .fetch_all(pool)
        .await
        .during("read which migrations were run")
}

impl BeforeMigrating {
    fn judge(self, own: &[i64], jobs: &[i64], queue: &Migrator) -> Ground {
        let own_state = SchemaState::new(own, &migrator());
        let queue_state = SchemaState::new(jobs, queue);
        let extension_schema = match &self.platform_schema {
            Some(platform) if self.may_create_beside_platform => platform.clone(),
            Some(_) => OWN_SCHEMA.to_owned(),
            None => ANY_SCHEMA.to_owned(),
        };
        let missing = self.missing_extensions(jobs, queue);
        let lacking_extension = self.lacking_extension();
        let mut obstacles = Vec::new();
        if !(own_state.pending.is_empty() && queue_state.pending.is_empty()) {
            obstacles.extend(self.lacks_create());
        }
        if !queue_state.pending.is_empty() {
            obstacles.extend(self.cannot_name_hstore());
        }
        obstacles.extend(is_others(
            "reconciler",
            &self.role,
            self.own_owner.as_ref(),
            self.is_own_mine,
        ));
        obstacles.extend(is_others(
            "apalis",
            &self.role,
            self.queue_owner.as_ref(),
            self.is_queue_mine,
        ));
        obstacles.extend(
            missing
                .iter()
                .filter_map(|extension| extension.obstacle(self.is_superuser)),
        );
        let extensions = missing.into_iter().map(|extension| NewExtension {
            name: extension.name,
            schema: extension_schema.clone(),
        });
        let extensions = extensions.collect();
        let extension_schema = match &self.hstore_schema {
            Some(home) if *home != extension_schema => format!("{extension_schema}, {home}"),
            _ => extension_schema,
        };
        Ground {
            own: own_state,
            queue: queue_state,
            extensions,
            may_create: self.may_create,
            obstacles,
            binding: None,
            damage: Vec::new(),
            lacking_extension,
            role_name: self.role_name,
            platform_schema: self
                .platform_schema
                .unwrap_or_else(|| ANY_SCHEMA.to_owned()),
            extension_schema,
        }
    }

    /// What keeps this role from making hstore again.
    fn lacking_extension(&self) -> Option<MigrationObstacle> {
        let all: Vec<Extension> = serde_json::from_str(&self.extensions).unwrap_or_default();
        let lost = all.iter().find(|it| it.name == "hstore" && !it.is_there)?;
        lost.obstacle(self.is_superuser)
            .or_else(|| self.lacks_create())
    }

    /// Those that migrations which are yet to be run want: each says so itself.
    fn missing_extensions(&self, jobs: &[i64], queue: &Migrator) -> Vec<Extension> {
        let all: Vec<Extension> = serde_json::from_str(&self.extensions).unwrap_or_default();
        let wants = |name: &str| {
            let create = format!("CREATE EXTENSION IF NOT EXISTS {name};");
            pending(jobs, queue).any(|migration| migration.sql.as_str().contains(&create))
        };
        let is_missing = |extension: &Extension| !extension.is_there && wants(&extension.name);
        all.into_iter().filter(is_missing).collect()
    }

    /// It is asked for where the schemas are there, too.
    fn lacks_create(&self) -> Option<MigrationObstacle> {
        let Self { role, database, .. } = self;
        (!self.may_create).then(|| MigrationObstacle {
            finding: format!(
                "Role {role} may create neither schemas nor extensions in database {database}."
            ),
            action: format!("GRANT CREATE ON DATABASE {database} TO {role};"),
        })
    }

    /// The library names the type without its schema.
    fn cannot_name_hstore(&self) -> Option<MigrationObstacle> {
        let home = self
            .hstore_schema
            .as_ref()
            .filter(|_| self.may_name_hstore == Some(false))?;
        let role = &self.role;
        Some(MigrationObstacle {
            finding: format!(
                "The extension hstore is in schema {home}, which role {role} may not use."
            ),
            action: format!("GRANT USAGE ON SCHEMA {home} TO {role};"),
        })
    }
}

impl Extension {
    /// Why it cannot be created, by a superuser or by somebody else.
    fn obstacle(&self, by_superuser: bool) -> Option<MigrationObstacle> {
        let name = &self.name;
        if !self.is_available {
            return Some(MigrationObstacle {
                finding: format!("The server does not have the extension {name}."),
                action: "Install PostgreSQL's contributed extensions on the server: on Debian they are part of the \
                         package `postgresql`, elsewhere of `postgresql-contrib`."
                    .to_owned(),
            });
        }
        (!self.is_trusted && !by_superuser).then(|| MigrationObstacle {
            finding: format!("Only a superuser may create the extension {name} on this server."),
            action: format!("CREATE EXTENSION IF NOT EXISTS {name};"),
        })
    }
}

fn is_others(
    schema: &str,
    role: &str,
    owner: Option<&String>,
    is_mine: Option<bool>,
) -> Option<MigrationObstacle> {
    let owner = owner.filter(|_| is_mine == Some(false))?;
    Some(MigrationObstacle {
        finding: format!(
            "Schema {schema} belongs to {owner}, and role {role} may not change what is in it."
        ),
        action: format!("Run `restore-reconciler migrate` as {owner}."),
    })
}

/// The migrations that are yet to be run.
fn pending<'m>(applied: &[i64], all: &'m Migrator) -> impl Iterator<Item = &'m Migration> {
    all.iter()
        .filter(|migration| !applied.contains(&migration.version))
}

impl SchemaState {
    fn new(applied: &[i64], all: &Migrator) -> Self {
        Self {
            version: applied.last().copied(),
            pending: pending(applied, all)
                .map(|migration| migration.version)
                .collect(),
        }
    }
}

impl Ground {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_migrated(&self) -> bool {
        self.own.pending.is_empty() && self.queue.pending.is_empty()
    }

    /// That our schema serves another platform than the one that is found, where it does: nothing is to be migrated from
    /// there, unless it is to be bound anew.
    #[must_use]
    pub fn other_platform(&self) -> Option<MigrationObstacle> {
        let bound = self.binding.as_ref().map(|binding| &binding.schema)?;
        let found = &self.platform_schema;
        (bound != found).then(|| MigrationObstacle {
            finding: format!(
                "Our schema serves the platform in schema {bound}, and the search path leads to that in schema {found}."
            ),
            action: format!(
                "Give a second platform a database of its own: our schema's name is fixed. Where the platform's schema was \
                 renamed, or the platform was moved to {found}: restore-reconciler migrate --rebind"
            ),
        })
    }

    /// What migrating would run, as a script for `psql`, with the record of it. Empty where nothing is left to do.
    #[must_use]
    pub fn script(&self, queue: &Migrator) -> String {
        let mut script = String::new();
        let own = migrator();
        let schemas = [
            (
                &self.own,
                &own,
                "reconciler",
                OWN_RECORD,
                &self.platform_schema,
            ),
            (
                &self.queue,
                queue,
                "apalis",
                QUEUE_RECORD,
                &self.extension_schema,
            ),
        ];
        for (state, all, schema, record, beside) in schemas {
            if !state.pending.is_empty() {
                let migrations = all.iter();
                let migrations = migrations.filter(|it| state.pending.contains(&it.version));
                // Writing to a text cannot fail.
                let _ = write_schema(&mut script, schema, record, beside, migrations);
            }
        }
        script
    }
}

fn write_schema<'m>(
    script: &mut String,
    schema: &str,
    record: &str,
    beside: &str,
    migrations: impl Iterator<Item = &'m Migration>,
) -> std::fmt::Result {
    let lock = LOCK.trim();
    writeln!(
        script,
        "BEGIN;\n{lock};\nSET LOCAL search_path = {beside};\nCREATE SCHEMA IF NOT EXISTS {schema};\n\
         CREATE TABLE IF NOT EXISTS {record} (\n    version BIGINT PRIMARY KEY,\n    description TEXT NOT NULL,\n    \
         installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),\n    success BOOLEAN NOT NULL,\n    \
         checksum BYTEA NOT NULL,\n    execution_time BIGINT NOT NULL\n);"
    )?;
    let mut is_copied = schema != OWN_SCHEMA;
    for migration in migrations {
        if migration.version > COPIED_AFTER && !is_copied {
            is_copied = true;
            writeln!(
                script,
                "COMMIT;\n\n-- An older ledger is copied, some entries in each transaction; workers go on meanwhile.\n\
                 SET statement_timeout = 0;\nDO $$ BEGIN WHILE reconciler.copy_ledger({COPY_ENTRIES_MAX}) > 0 LOOP COMMIT; END LOOP; END $$;\n\n\
                 BEGIN;\n{lock};\nSET LOCAL search_path = {beside};"
            )?;
        }
        let Migration {
            version,
            description,
            ..
        } = migration;
        let description = description.replace('\'', "''");
        let sql = migration.sql.as_str().trim();
        writeln!(
            script,
            "\n-- Migration {version} of schema {schema}: {description}\n{sql}\n"
        )?;
        write!(
            script,
            "INSERT INTO {record} (version, description, success, checksum, execution_time)\n\
             VALUES ({version}, '{description}', true, '\\x"
        )?;
        for byte in migration.checksum.iter() {
            write!(script, "{byte:02x}")?;
        }
        writeln!(script, "', 0);")?;
    }
    writeln!(script, "{CORRECT_QUEUE};\nCOMMIT;")
}

/// Has our schema serve the platform that is found, while nobody migrates.
pub(in crate::storage) async fn bind(pool: &PgPool) -> Result<()> {
    let step = "bind our schema to the platform";
    let (mut tx, waiter) = begin_alone(pool, step).await?;
    let binding = async { execute(&mut tx, include_str!("sql/bind.sql"), step).await };
    waiter.naming(pool, step, binding).await?;
    tx.commit().await.during(step)
}

/// Begins a transaction while nobody else migrates. Says for whom it waits, and does not wait for ever.
async fn begin_alone(
    pool: &PgPool,
    step: &'static str,
) -> Result<(Transaction<'static, Postgres>, LockWaiter)> {
    let mut turns = 1..TURNS_MAX;
    loop {
        let mut tx = pool.begin().await.during(step)?;
        let waiter = LockWaiter::of(&mut tx, step).await?;
        let locking = async { execute(&mut tx, LOCK, step).await };
        match waiter.naming(pool, step, locking).await {
            Ok(()) => return Ok((tx, waiter)),
            Err(error) if error.is_about_lock() && turns.next().is_some() => {
                tx.rollback().await.during(step)?;
                tracing::warn!(%error, "somebody else migrates; waiting for the turn");
            }
            Err(error) => return Err(error),
        }
    }
}

/// Begins one in which what has no schema named is created in `beside`, which is a search path.
async fn begin_beside(
    pool: &PgPool,
    step: &'static str,
    beside: &str,
) -> Result<(Transaction<'static, Postgres>, LockWaiter)> {
    let (mut tx, waiter) = begin_alone(pool, step).await?;
    set_local(&mut tx, "search_path", beside)
        .await
        .during(step)?;
    Ok((tx, waiter))
}

async fn execute(
    connection: &mut PgConnection,
    script: &'static str,
    step: &'static str,
) -> Result<()> {
    raw_sql(script)
        .execute(connection)
        .await
        .map(drop)
        .during(step)
}

/// Makes again what is missing or different, as far as that can be, all or nothing, and says what that was. Triggers on the
/// platform's tables are for whoever adds them. Settlements take the same tables in another order; whoever is ended for that
/// begins anew.
pub(in crate::storage) async fn repair(
    pool: &PgPool,
    ground: &Ground,
    build_within: Duration,
) -> Result<Vec<String>> {
    let step = shape::MAKE_AGAIN;
    let within = milliseconds(build_within);
    let (damage, runs) = (&ground.damage, ground.runs());
    with_retries(REPAIRS_MAX, async || {
        let beside = ground.beside_extensions();
        let (mut tx, waiter) = begin_beside(pool, step, beside).await?;
        let making = shape::make_again(&mut tx, damage, &runs, &within);
        let made = waiter.naming(pool, step, making).await?;
        tx.commit().await.during(step)?;
        Ok(made)
    })
    .await
}

/// Runs our own migrations. An older ledger is copied between two of them, some entries in each transaction, while
/// workers go on; whoever begins after somebody was ended in the middle of it goes on where he was.
///
/// `copied` is told about how many entries are left.
pub(in crate::storage) async fn run_own(
    pool: &PgPool,
    beside: &str,
    copied: &mut impl FnMut(u64),
) -> Result<()> {
    let step = "migrate schema reconciler";
    run_until(pool, step, migrator(), beside, Some(COPIED_AFTER)).await?;
    while let left @ 1.. = copy_ledger(pool).await? {
        copied(left.unsigned_abs());
    }
    run_until(pool, step, migrator(), beside, None).await
}

/// Copies the next entries, and says about how many are left; none where the copy is in the ledger's place already.
async fn copy_ledger(pool: &PgPool) -> Result<i64> {
    let step = "copy the ledger";
    let (mut tx, waiter) = begin_alone(pool, step).await?;
    let is_copied: bool = sqlx::query_scalar(include_str!("sql/is_ledger_copied.sql"))
        .fetch_one(&mut *tx)
        .await
        .during(step)?;
    if is_copied {
        return Ok(0);
    }
    let copying = async {
        let copying = sqlx::query_scalar(include_str!("sql/copy_ledger.sql"));
        let copying = copying.bind(COPY_ENTRIES_MAX).fetch_one(&mut *tx);
        copying.await.during(step)
    };
    let left = waiter.naming(pool, step, copying).await?;
    tx.commit().await.during(step)?;
    Ok(left)
}

/// Runs migrations, all of them or none, one process at a time. What has no schema named is created in `beside`, which
/// is a search path.
pub(in crate::storage) async fn run(
    pool: &PgPool,
    step: &'static str,
    all: Migrator,
    beside: &str,
) -> Result<()> {
    run_until(pool, step, all, beside, None).await
}

/// As [`run`], and none after the migration `last`.
///
/// The migrator's own lock would belong to a session, and a pooler may give each transaction another one.
async fn run_until(
    pool: &PgPool,
    step: &'static str,
    mut all: Migrator,
    beside: &str,
    last: Option<i64>,
) -> Result<()> {
    let (mut tx, waiter) = begin_beside(pool, step, beside).await?;
    all.set_locking(false);
    let running = async {
        // `run` is this call behind a trait that a boxed future cannot name.
        let run = all.run_direct(last, &mut *tx, false).await;
        run.map_err(|error| StoreError::migration(step, error))?;
        execute(&mut tx, CORRECT_QUEUE, step).await
    };
    waiter.naming(pool, step, running).await?;
    tx.commit().await.during(step)
}

/// The platform's runs, in this schema.
fn runs_in(schema: &str) -> String {
    format!("{schema}.operation_runs")
}

impl Ground {
    /// Whether nothing is to be run that this role could run.
    pub(in crate::storage) fn is_left_alone(&self, state: &SchemaState) -> bool {
        state.pending.is_empty() && !self.may_create
    }

    /// The search path of our own migrations.
    pub(in crate::storage) fn beside_platform(&self) -> &str {
        &self.platform_schema
    }

    /// The table that `reconciler.request` is to ask.
    fn runs(&self) -> String {
        let bound = self.binding.as_ref().map(|binding| &binding.schema);
        runs_in(bound.unwrap_or(&self.platform_schema))
    }

    /// The search path of the queue's, which create extensions.
    pub(in crate::storage) fn beside_extensions(&self) -> &str {
        &self.extension_schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_in_the_way_where_it_cannot_be_created() {
        let obstacle = |is_available, is_trusted, by_superuser| {
            let name = "hstore".to_owned();
            let extension = Extension {
                name,
                is_there: false,
                is_available,
                is_trusted,
            };
            let obstacle = extension.obstacle(by_superuser);
            obstacle.map_or_else(String::new, |obstacle| obstacle.finding)
        };
        assert_eq!(obstacle(true, true, false), "");
        assert_eq!(obstacle(true, false, true), "");
        assert!(obstacle(true, false, false).starts_with("Only a superuser may create"));
        assert!(obstacle(false, true, true).starts_with("The server does not have"));
    }
}
