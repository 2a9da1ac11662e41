//! A role of a test's own on PostgreSQL, whose name must be quoted wherever it is written.

use restore_reconciler::internals::storage::Store;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::store::{Fixture, open};

pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) quoted: String,
    /// Where it finds the database. The cluster trusts every name.
    pub(crate) url: String,
}

impl Role {
    /// One that may do what `options` say.
    pub(crate) async fn new(on: &Fixture, options: &str) -> Self {
        let connection: PgConnectOptions = on.url.parse().expect("a URL");
        let database = connection.get_database().expect("a name");
        let name = format!("the \"worker\" of {}", &database[..20]);
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        on.execute_as_superuser(&format!(
            "CREATE ROLE {quoted} {options}; GRANT {quoted} TO engineer"
        ))
        .await;
        let url = connection.username(&name).to_url_lossy().to_string();
        Self { name, quoted, url }
    }

    /// The database as this role sees it, on connections that are new.
    pub(crate) async fn store(&self) -> Store {
        open(&self.url).await
    }

    /// The same, for statements of the test's own.
    pub(crate) async fn connection(&self) -> PgConnection {
        let connection = PgConnection::connect(&self.url).await;
        connection.expect("a connection")
    }

    /// Removes it with all that it has and may do.
    pub(crate) async fn forget(self, on: &Fixture) {
        let quoted = &self.quoted;
        on.execute_as_superuser(&format!(
            "DROP OWNED BY {quoted} CASCADE; DROP ROLE {quoted}"
        ))
        .await;
    }
}
