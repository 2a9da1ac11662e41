//! The platform that our schema is bound to: asked for by `migrate`, told by `doctor`, changed on purpose.

use sqlx::PgConnection;

use super::installation::{execute, grant, is_asked, platforms, said};
use super::stage::{assert_says, plant};
use crate::support::cluster::{self, TestDatabase};
use crate::support::roles::{Purpose, connect};

/// Where everybody finds the platform in a schema.
fn beside(url: &str, schema: &str) -> String {
    format!("{url}&options=-c%20search_path%3D{schema}")
}

/// A platform with runs, and our schema bound to it.
async fn bound() -> TestDatabase {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    said(&url, "migrate", 0);
    for (purpose, role) in [("worker", "reconciler"), ("platform", "platform")] {
        grant(&database, purpose, role).await;
    }
    database
}

#[tokio::test]
async fn a_platform_whose_schema_was_renamed_is_served_once_it_is_bound_again() {
    let database = bound().await;
    let (old, renamed) = (database.url(), beside(&database.url(), "%22theApp%22"));
    said(&old, "doctor --verbose", 0).says(
        &[
            "Our schema serves the platform in schema public since",
            "install id",
        ],
        &[],
    );
    let mut platform: PgConnection = connect(Purpose::Platform, &old).await;
    assert!(is_asked(&mut platform).await);

    execute(&old, "ALTER SCHEMA public RENAME TO \"theApp\"".to_owned()).await;
    said(&renamed, "doctor", 3).says(
        &[
            "serves the platform in schema public, where no runs are any more",
            "reconciler.request finds no run",
            "as migrator, with a search path that leads to schema \"theApp\"",
            "restore-reconciler migrate --rebind",
        ],
        &[],
    );
    assert!(!is_asked(&mut platform).await, "it asks in schema public");
    said(&renamed, "sweep", 1).says(&[], &["our schema serves the platform in schema public"]);
    let refused = "Our schema serves the platform in schema public, and the search path leads to that in schema \"theApp\"";
    said(&renamed, "migrate", 1).says(
        &[],
        &["nothing was migrated: ", refused, "migrate --rebind"],
    );
    said(&renamed, "migrate --status", 3).says(&["in the way: ", refused], &[]);

    said(&renamed, "migrate --rebind", 0).says(
        &[
            "It serves the platform in schema \"theApp\" from now on, and not the one in public as before.",
            "Every verdict on record is kept",
        ],
        &[],
    );
    assert_says(
        &renamed,
        "migrate --rebind ⇒ 0 | nothing was changed
         migrate --status ⇒ 0 | serves the platform in schema \"theApp\"; install id
         doctor ⇒ 0 | problems: 0
         sweep ⇒ 10 | Looked at",
    );
    assert!(is_asked(&mut platform).await);

    // As a restored dump without the row leaves it.
    let lost = "DELETE FROM reconciler.platform".to_owned();
    execute(&Purpose::Migrator.url(&old), lost).await;
    assert_says(
        &renamed,
        "doctor ⇒ 3 | migrate --rebind
         migrate --rebind ⇒ 0 | Platform tables were not touched.
         doctor ⇒ 0 | problems: 0",
    );
}

#[tokio::test]
async fn a_second_platform_is_refused_before_anything_is_written() {
    let database = bound().await;
    let (first, second) = (database.url(), beside(&database.url(), "second,public"));
    // An older installation, which says in its function alone whose it is.
    let older = "DROP TABLE reconciler.platform; DROP FUNCTION reconciler.bind;
                 DELETE FROM reconciler.migrations WHERE version = 11";
    let copy =
        "CREATE SCHEMA second; CREATE TABLE second.operation_runs (LIKE public.operation_runs);
                CREATE TABLE second.restore_runs (LIKE public.restore_runs);
                CREATE TABLE second.evidence_snapshots (LIKE public.evidence_snapshots);
                CREATE TABLE second.audit_logs (LIKE public.audit_logs);
                GRANT USAGE ON SCHEMA second TO PUBLIC;
                GRANT SELECT ON ALL TABLES IN SCHEMA second TO PUBLIC";
    execute(&first, copy.to_owned()).await;
    said(&second, "migrate", 1).says(&[], &["nothing was migrated: ", "a database of its own"]);
    said(&second, "doctor", 3).says(
        &[
            "leads to another one in schema second: nothing is settled",
            "Give a second platform a database of its own",
        ],
        &[],
    );

    execute(&Purpose::Migrator.url(&first), older.to_owned()).await;
    said(&second, "migrate", 1).says(
        &[],
        &["serves the platform of public.operation_runs, and the search path leads to that in schema second"],
    );
    said(&second, "migrate --status", 3);
    // Whoever could read the ledger can read whose it is.
    assert_says(
        &first,
        "migrate ⇒ 0 | Platform tables were not touched.
         doctor ⇒ 0 | problems: 0
         sweep ⇒ 10 | Looked at",
    );
}

/// One that is bound from the start, before anybody asks.
#[tokio::test]
async fn what_was_installed_says_so() {
    let database = platforms().await;
    let url = database.url();
    grant(&database, "migrator", "migrator").await;
    let migrated = said(&url, "migrate --output json", 0).stdout;
    assert!(
        migrated.contains("\"platform_schema\": \"public\""),
        "{migrated}"
    );
    assert!(migrated.contains("\"bound_before\": null"), "{migrated}");
}

/// Tables that stand in front of the platform's are told, be it the runs themselves or what proves them. A schema that is
/// called as the role is in front of all.
#[tokio::test]
async fn tables_in_front_of_the_platforms_are_told() {
    let database = bound().await;
    let url = database.url();
    let table = |name: &str| {
        format!(
            "CREATE TABLE reconciler.{name} (LIKE public.{name}); GRANT SELECT ON reconciler.{name} TO reconciler"
        )
    };
    execute(&url, table("restore_runs")).await;
    said(&url, "doctor", 3).says(
        &["The search path leads to reconciler.restore_runs, and schema public, whose platform our schema serves, has such a"],
        &[],
    );
    execute(&url, "DROP TABLE reconciler.restore_runs".to_owned()).await;
    said(&url, "doctor", 0);
    execute(&url, table("operation_runs")).await;
    said(&url, "doctor", 3).says(
        &["Our schema serves the platform in schema public, and the search path leads to another one in schema reconciler"],
        &[],
    );
}

/// Whoever does not know the new name yet finds no runs at all, and is not told that all is well.
#[tokio::test]
async fn a_renamed_schema_that_no_search_path_leads_to_is_told() {
    let database = bound().await;
    let url = database.url();
    execute(&url, "ALTER SCHEMA public RENAME TO moved".to_owned()).await;
    said(&url, "doctor", 3).says(
        &[
            "serves the platform in schema public, where no runs are any more, and the search path leads to none",
            "as migrator, with a search path that leads to its new name, restore-reconciler migrate --rebind",
        ],
        &[],
    );
}
