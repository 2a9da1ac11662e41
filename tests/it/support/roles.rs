//! The roles of a platform's database, one per purpose, as an engineer makes them.
//!
//! Roles belong to a cluster, which many tests share: they are made once, have the same names for all databases, and
//! own and may do in each what they own and may do in production. They have the manual's names, and what the worker and
//! the console may do is what the manual grants them, word for word.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, raw_sql};
use url::Url;

use crate::manual::{grants_of_a_console, grants_of_a_worker};

/// Who connects to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Owns the database and the platform's tables: Laravel's migrations.
    Owner,
    /// Runs `migrate`, and owns our schema and the queue's.
    Migrator,
    /// Runs `work`, `sweep` and whatever else judges.
    Worker,
    /// Runs `serve`.
    Console,
    /// The platform's application: reads and writes its tables, and asks for runs.
    Platform,
}

/// The superuser's name, as `tests/postgres` makes it.
const SUPERUSER: &str = "postgres";

/// What Laravel's application may do, and our functions of the platform's.
const APPLICATION: &str = "
GRANT USAGE ON SCHEMA public TO reconciler, console, platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO platform;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO platform;
-- `reconciler.request` looks for the run with the rights of whoever migrated.
GRANT SELECT (id, type, status) ON operation_runs TO migrator;";

/// Everybody who may connect.
pub(super) fn names() -> [&'static str; 6] {
    let [owner, migrator, worker, console, platform] = [
        Purpose::Owner,
        Purpose::Migrator,
        Purpose::Worker,
        Purpose::Console,
        Purpose::Platform,
    ]
    .map(Purpose::role);
    [SUPERUSER, owner, migrator, worker, console, platform]
}

/// Where the application is the owner of its tables, as most are, the owner asks.
const OWNER_ASKS: &str = "GRANT USAGE ON SCHEMA reconciler TO laravel;";

impl Purpose {
    /// The name of its role, on every cluster.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::Owner => "laravel",
            Self::Migrator => "migrator",
            Self::Worker => "reconciler",
            Self::Console => "console",
            Self::Platform => "platform",
        }
    }

    /// Who runs this verb; nobody in particular where it is about no database.
    pub(super) fn of_verb(arguments: &[&str]) -> Option<Self> {
        arguments.iter().find_map(|argument| match *argument {
            "demo" => Some(Self::Owner),
            "migrate" => Some(Self::Migrator),
            "serve" => Some(Self::Console),
            "doctor" | "enqueue" | "explain" | "queue" | "reconcile" | "sweep" | "work" => {
                Some(Self::Worker)
            }
            _ => None,
        })
    }

    /// Where its role finds the database of `url`, the superuser's. A file is everybody's, and a URL that names another
    /// role stays as it is. The cluster trusts every name.
    pub(crate) fn url(self, url: &str) -> String {
        match url.parse::<Url>() {
            Ok(mut parsed) if parsed.username() == SUPERUSER => {
                let named = parsed.set_username(self.role());
                named.expect("a URL with a host");
                parsed.to_string()
            }
            _ => url.to_owned(),
        }
    }
}

/// Grants the application, the worker and the console what they may do in the database at `url`, so far as it is there:
/// nothing before our schema, and nothing of the queue before its tables. Each grant is its owner's.
pub(crate) async fn grant(url: &str) {
    let mut migrator = connect(Purpose::Migrator, url).await;
    let there = "SELECT to_regclass('reconciler.ledger') IS NOT NULL, to_regclass('apalis.jobs') IS NOT NULL";
    let there = sqlx::query_as(there).fetch_one(&mut migrator).await;
    let (is_migrated, has_queue): (bool, bool) = there.expect("an answer");
    if !is_migrated {
        return;
    }
    let (platforms, ours) = documented(has_queue);
    execute(&mut migrator, ours + OWNER_ASKS).await;
    let mut owner = connect(Purpose::Owner, url).await;
    execute(&mut owner, APPLICATION.to_owned() + &platforms).await;
}

/// The statements of the manual about the platform's tables, and those about ours.
fn documented(has_queue: bool) -> (String, String) {
    let mut grants = grants_of_a_worker() + &grants_of_a_console();
    // One statement names three schemas. The platform's belongs to another role, which grants it in APPLICATION.
    grants = grants.replace("SCHEMA public, ", "SCHEMA ");
    if !has_queue {
        grants = grants.replace("reconciler, apalis TO", "reconciler TO");
    }
    let statements = grants.split_inclusive(';');
    let wanted = statements.filter(|statement| has_queue || !statement.contains(" apalis."));
    wanted.partition(|statement| {
        !["reconciler.", "apalis.", "SCHEMA"]
            .iter()
            .any(|ours| statement.contains(ours))
    })
}

pub(crate) async fn connect(purpose: Purpose, url: &str) -> PgConnection {
    let options: PgConnectOptions = purpose.url(url).parse().expect("a URL");
    options.connect().await.expect("a role that may log in")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the manual's statements, with names of roles that are made in this file"
)]
async fn execute(connection: &mut PgConnection, statements: String) {
    let done = raw_sql(AssertSqlSafe(statements.clone()));
    let done = done.execute(connection).await;
    done.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

mod tests {
    use super::*;
    use crate::support::scene::{NO_SWEEPS, Scene, dismiss};

    #[test]
    fn a_url_gets_a_role_unless_it_names_one_or_a_file() {
        let console = Purpose::Console;
        for (url, expected) in [
            (
                "postgres://postgres@localhost:5432/a?host=/x",
                "postgres://console@localhost:5432/a?host=/x",
            ),
            ("postgres://postgres:p@h/a", "postgres://console:p@h/a"),
            ("postgres://one@h/a", "postgres://one@h/a"),
            ("sqlite:///postgres@x", "sqlite:///postgres@x"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(console.url(url), expected);
        }
    }

    #[test]
    fn everything_in_the_manual_is_granted_by_somebody() {
        let (platforms, ours) = documented(true);
        let count = |grants: &str| grants.matches("GRANT ").count();
        let all = grants_of_a_worker() + &grants_of_a_console();
        assert_eq!(count(&platforms) + count(&ours), count(&all));
        assert!(platforms.contains("audit_logs_id_seq"), "{platforms}");
        let (_, before) = documented(false);
        assert!(!before.contains("apalis"), "{before}");
    }

    /// A worker, and the store of the test's own process.
    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_judges_is_the_manuals_worker_and_owns_nothing() {
        let scene = Scene::new(NO_SWEEPS).await;
        let worker = scene.worker().await;
        let roles = scene.value(
            "SELECT string_agg(DISTINCT usename::text, ',') FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'restore-reconciler'",
        );
        assert_eq!(roles.await.as_deref(), Some("reconciler"));
        let owners = scene.value(
            "SELECT string_agg(DISTINCT nspname || ' ' || pg_get_userbyid(relowner), ',')
             FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
             WHERE nspname IN ('public', 'reconciler', 'apalis')",
        );
        let expected = "apalis migrator,public laravel,reconciler migrator";
        assert_eq!(owners.await.as_deref(), Some(expected));
        dismiss(worker).await;
    }
}
