//! The roles of a platform's database, one per purpose, as an engineer makes them.
//!
//! Roles belong to a cluster, which many tests share: they are made once, have the same names for all databases, and
//! own and may do in each what they own and may do in production. They have the manual's names, and what each may do of
//! ours is what `grants` prints for it, run by whom it names.

use restore_reconciler::internals::doctor::{self, list_rights};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, raw_sql};
use url::Url;

use super::cluster::NOBODY;
use super::store::open_as;

/// Who connects to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Owns the database and the platform's tables: Laravel's migrations.
    Owner,
    /// Runs `migrate`, and owns our schema and the queue's.
    Migrator,
    /// Runs `work`, `sweep` and whatever else judges.
    Worker,
    /// Runs `work` and `sweep` where they only observe.
    Observer,
    /// Runs `serve`.
    Console,
    /// The platform's application: reads and writes its tables, and asks for runs.
    Platform,
    /// Looks after the database: may be any of them, and sees what their sessions do. So tests look, and put in the way what
    /// is none of these roles' business.
    Engineer,
}

/// What Laravel's application may do with its own tables, and what everybody may who looks at them.
const APPLICATION: &str = "
GRANT USAGE ON SCHEMA public TO reconciler, observer, console, platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO platform;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO platform;";

/// Everybody who may connect.
pub(super) fn names() -> [&'static str; 7] {
    [
        Purpose::Owner,
        Purpose::Migrator,
        Purpose::Worker,
        Purpose::Observer,
        Purpose::Console,
        Purpose::Platform,
        Purpose::Engineer,
    ]
    .map(Purpose::role)
}

/// Where a role finds the database of `url`, which names nobody.
pub(crate) fn as_role(url: &str, role: &str) -> String {
    url.replacen(&format!("//{NOBODY}@"), &format!("//{role}@"), 1)
}

impl Purpose {
    /// The name of its role, on every cluster.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::Owner => "laravel",
            Self::Migrator => "migrator",
            Self::Worker => "reconciler",
            Self::Observer => "observer",
            Self::Console => "console",
            Self::Platform => "platform",
            Self::Engineer => "engineer",
        }
    }

    /// Who runs this verb; nobody in particular where it is about no database.
    /// Whoever looks without judging does so as the console.
    pub(super) fn of_verb(arguments: &[&str]) -> Option<Self> {
        arguments.iter().find_map(|argument| match *argument {
            "demo" | "grants" => Some(Self::Owner),
            "migrate" | "uninstall" | "forget" => Some(Self::Migrator),
            "serve" | "runs" | "list" | "wait" | "opinions" => Some(Self::Console),
            "doctor" | "enqueue" | "explain" | "ledger" | "queue" | "reconcile" | "sweep"
            | "work" => Some(Self::Worker),
            _ => None,
        })
    }

    /// Whether the URL names nobody, as whom no verb can be run.
    pub(super) fn is_nobodys(url: &str) -> bool {
        url.parse::<Url>().is_ok_and(|url| url.username() == NOBODY)
    }

    /// Where its role finds the database of `url`, which names nobody. A file is everybody's, and a URL that names a role
    /// stays as it is. The cluster trusts every name.
    pub(crate) fn url(self, url: &str) -> String {
        match url.parse::<Url>() {
            Ok(mut parsed) if parsed.username() == NOBODY => {
                let named = parsed.set_username(self.role());
                named.expect("a URL with a host");
                parsed.to_string()
            }
            _ => url.to_owned(),
        }
    }
}

/// Grants everybody what they may do in the database at `url`, so far as it is there: whoever migrates what that needs,
/// and everybody else nothing before our schema, and nothing of the queue before its tables. Each grant is run by the
/// role that owns what it is about.
pub(crate) async fn grant(url: &str) {
    let mut owner = connect(Purpose::Owner, url).await;
    execute(&mut owner, APPLICATION.to_owned()).await;
    // A connection costs the server more than a grant does: each role has one, and runs at once what it may.
    let mut migrator = connect(Purpose::Migrator, url).await;
    let printed = printed(url).await;
    for together in printed.chunk_by(|(one, _), (other, _)| one == other) {
        let statements: Vec<&str> = together.iter().map(|(_, it)| it.as_str()).collect();
        let statements = statements.join(";\n");
        let by = match together.first().map(|(by, _)| by.as_str()) {
            Some(by) if by == Purpose::Owner.role() => &mut owner,
            Some(by) if by == Purpose::Migrator.role() => &mut migrator,
            by => panic!("{statements}: {by:?} is to run it"),
        };
        execute(by, statements).await;
    }
}

/// What `grants` prints for everybody, and by whom it is to be run. The owner of the platform's tables asks, too, as it
/// does wherever it is the application.
async fn printed(url: &str) -> Vec<(String, String)> {
    let store = open_as(Purpose::Owner, url).await;
    let mut printed = Vec::new();
    for (purpose, role) in [
        (doctor::Purpose::Migrator, Purpose::Migrator),
        (doctor::Purpose::Worker, Purpose::Worker),
        (doctor::Purpose::Observer, Purpose::Observer),
        (doctor::Purpose::Console, Purpose::Console),
        (doctor::Purpose::Platform, Purpose::Platform),
        (doctor::Purpose::Platform, Purpose::Owner),
    ] {
        let rights = list_rights(&store, purpose, role.role()).await;
        let rights = rights.expect("an answer").expect("a server");
        let grants = rights.grants.into_iter();
        printed.extend(grants.map(|grant| (grant.owner, grant.statement)));
    }
    printed
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
                "postgres://nobody@localhost:5432/a?host=/x",
                "postgres://console@localhost:5432/a?host=/x",
            ),
            ("postgres://nobody:p@h/a", "postgres://console:p@h/a"),
            ("postgres://one@h/a", "postgres://one@h/a"),
            ("sqlite:///postgres@x", "sqlite:///postgres@x"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(console.url(url), expected);
        }
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
