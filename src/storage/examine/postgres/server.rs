//! The server, and who we are to it.

use super::facts::Server;
use super::{Check, Placed};

/// The oldest major version that is supported, as `server_version_num` counts.
const VERSION_MIN: i32 = 140_000;

pub(super) fn judge_version(server: &Server) -> Check {
    let subject = "server";
    // "PostgreSQL 15.4 (Debian 15.4-1) on x86_64-pc-linux-gnu, compiled by …": the rest is noise.
    let short = server.version.split(" on ").next().unwrap_or_default();
    if !server.version.starts_with("PostgreSQL") {
        return Check::problem(
            subject,
            format!("What answers is no PostgreSQL but {short}."),
            "Point RECONCILER_DATABASE_URL at the platform's PostgreSQL server.",
        );
    }
    if server.version_number < VERSION_MIN {
        return Check::problem(
            subject,
            format!("{short} is too old."),
            format!(
                "Upgrade the server to PostgreSQL {} or newer.",
                VERSION_MIN / 10_000
            ),
        );
    }
    Check::good(
        subject,
        format!("{short} answers, database {}.", server.database),
    )
}

pub(super) fn judge_writes(server: &Server) -> Check {
    let subject = "writes";
    let Server { role, database, .. } = server;
    if server.is_replica {
        return Check::problem(
            subject,
            "The server is a replica and takes no writes.",
            "Point RECONCILER_DATABASE_URL at the primary.",
        );
    }
    if server.is_read_only {
        return Check::problem(
            subject,
            "Transactions of this role are read-only unless they ask for more, and ours do not.",
            format!(
                "ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = off;"
            ),
        );
    }
    Check::good(subject, "The server takes writes.")
}

/// A worker needs few rights, and whoever takes over its connection gets all it has.
pub(super) fn judge_role(server: &Server, platform: &[Placed]) -> Check {
    let subject = "role";
    let role = &server.role;
    let least = "Connect as a role of its own that may log in and nothing else, and grant it what \
                 `restore-reconciler doctor` then lists.";
    if server.is_superuser {
        return Check::advice(
            subject,
            format!("Role {role} is a superuser, which is far more than is needed."),
            least,
        );
    }
    let owned: Vec<&str> = platform
        .iter()
        .filter(|placed| placed.table.is_owner)
        .map(|placed| placed.need.name)
        .collect();
    if owned.is_empty() {
        return Check::good(
            subject,
            format!("Role {role} is neither a superuser nor an owner of the platform's tables."),
        );
    }
    Check::advice(
        subject,
        format!(
            "Role {role} owns {}, and so may change and drop them.",
            owned.join(", ")
        ),
        least,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::examine::Level;

    fn server(version: &str, version_number: i32) -> Server {
        Server {
            version: version.to_owned(),
            version_number,
            is_replica: false,
            is_read_only: false,
            database: "d".to_owned(),
            role: "r".to_owned(),
            is_superuser: false,
            search_path: "public".to_owned(),
            may_create_schema: false,
            may_use_own_schema: None,
        }
    }

    #[test]
    fn old_servers_and_other_products_are_problems() {
        let fourteen = server("PostgreSQL 14.0 on x86_64", 140_000);
        assert_eq!(judge_version(&fourteen).level, Level::Good);
        let thirteen = judge_version(&server("PostgreSQL 13.9 on x86_64", 130_009));
        assert_eq!(thirteen.level, Level::Problem);
        assert_eq!(
            thirteen.action.as_deref(),
            Some("Upgrade the server to PostgreSQL 14 or newer.")
        );
        let other = judge_version(&server("CockroachDB CCL v23.1 (x86_64)", 130_000));
        assert!(other.finding.contains("no PostgreSQL but CockroachDB"));
    }

    #[test]
    fn a_replica_takes_no_writes() {
        let replica = Server {
            is_replica: true,
            is_read_only: true,
            ..server("PostgreSQL 16.1 on x86_64", 160_001)
        };
        let check = judge_writes(&replica);
        assert_eq!(check.level, Level::Problem);
        assert!(check.action.unwrap().contains("primary"));
    }
}
