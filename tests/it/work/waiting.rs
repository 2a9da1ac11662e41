//! A worker and a console that were started before their database, their role and their schema, as containers are.

use restore_reconciler::internals::doctor::{self, list_rights};

use crate::console::{Ask, Serving, Settings};
use crate::support::case::{Case, world};
use crate::support::roles::{Purpose, as_role};
use crate::support::scene::{dismiss, until_answered, until_ready, until_said};
use crate::support::store::Fixture;
use crate::support::time::eventually;
use crate::support::worker::{Worker, said_by};

/// Waits until the console answers so.
pub(crate) async fn until_shown(console: &Serving, wanted: u16) {
    let is_so = async || (console.ask(&Ask::get("/")).status == wanted).then_some(());
    let state = async || format!("{:?}", console.ask(&Ask::get("/")));
    eventually(is_so, state).await;
}

/// What a purpose needs, for a role of this test.
async fn grant(on: &Fixture, purpose: doctor::Purpose, role: &str) {
    let rights = list_rights(&on.store, purpose, role).await;
    for grant in rights.expect("an answer").expect("a server").grants {
        on.execute(&grant.statement).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_started_first_waits_says_for_what_once_and_goes_on_by_itself() {
    let on = Fixture::empty_postgres().await;
    let database = on.value("SELECT current_database()").await.expect("a name");
    let [works, shows] = ["works", "shows"].map(|name| format!("{name}_{database}"));
    let as_role = |role: &str| as_role(&on.url, role);
    let worker = Worker::start(&as_role(&works), None).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let console = Serving::start(&as_role(&shows), &settings).await;

    let no_role = "does not exist (SQLSTATE 28000)";
    let (no_platform, no_schema) = (
        "does not hold the platform's tables",
        "our schema is not in this database",
    );
    let no_rights = "permission denied for schema reconciler";
    until_said(&worker, no_role).await;
    until_shown(&console, 503).await;
    on.execute_as_superuser(&format!(
        "CREATE ROLE {works} LOGIN; CREATE ROLE {shows} LOGIN"
    ))
    .await;
    until_said(&worker, no_platform).await;
    on.install().await;
    until_said(&worker, no_schema).await;
    until_answered(&worker, "/livez", 200).await;
    until_answered(&worker, "/readyz", 503).await;
    on.migrator().await.migrate().await.expect("our schema");
    until_said(&worker, no_rights).await;
    on.set_up_queue().await;
    grant(&on, doctor::Purpose::Worker, &works).await;
    grant(&on, doctor::Purpose::Console, &shows).await;

    until_ready(&worker).await;
    until_shown(&console, 200).await;
    let said = worker.said();
    for reason in [no_role, no_platform, no_schema, no_rights] {
        assert_eq!(said.matches(reason).count(), 1, "{reason}: {said}");
    }
    on.platform.plant(&world()).await.expect("the world");
    on.plant([Case::proven(1)]).await;
    on.execute("SELECT reconciler.request(1)").await;
    let outcome = async || {
        let outcome = on
            .value("SELECT outcome FROM operation_runs WHERE id = 1")
            .await;
        (outcome.as_deref() == Some("succeeded")).then_some(())
    };
    eventually(outcome, async || worker.said()).await;
    dismiss(worker).await;
    console.stop().await;
    on.execute_as_superuser(&format!(
        "DROP OWNED BY {works}, {shows}; DROP ROLE {works}, {shows}"
    ))
    .await;
}

/// What the last migration records is all that tells an older schema from this program's.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_waited_for_until_it_is_migrated() {
    let on = Fixture::postgres().await.with_queue().await;
    let (recorded, latest) = (
        "reconciler.migrations",
        "(SELECT max(version) FROM reconciler.migrations)",
    );
    on.execute(&format!(
        "CREATE TABLE reconciler.latest AS SELECT * FROM {recorded} WHERE version = {latest};
         DELETE FROM {recorded} WHERE version = {latest}"
    ))
    .await;
    let worker = Worker::start(&on.url_of(Purpose::Worker), None).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let console = Serving::start(&on.url_of(Purpose::Console), &settings).await;
    let older = "our schema is not in this database, or is older than this program";
    until_said(&worker, older).await;
    until_answered(&worker, "/readyz", 503).await;
    until_shown(&console, 503).await;
    on.execute(&format!(
        "INSERT INTO {recorded} SELECT * FROM reconciler.latest"
    ))
    .await;
    until_ready(&worker).await;
    until_shown(&console, 200).await;
    assert_eq!(worker.said().matches(older).count(), 1, "{}", worker.said());
    dismiss(worker).await;
    console.stop().await;
}

/// Whatever is done to the server, this leads nowhere.
#[tokio::test]
async fn a_url_that_cannot_be_followed_ends_the_process_at_once() {
    let unknown = "postgres://worker@localhost/app?tls=please";
    let (code, said) = said_by(unknown, &["work"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot be used"), "{said}");
}

/// A database that is not there yet is waited for as well, and so is a password that is not known yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_created_later_is_waited_for() {
    let on = Fixture::empty_postgres().await;
    let database = on.value("SELECT current_database()").await.expect("a name");
    let later = format!("later_{database}");
    let url = on.url_of(Purpose::Worker).replacen(&database, &later, 1);
    let worker = Worker::start(&url, None).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let console = Serving::start(&url, &settings).await;
    until_said(&worker, "does not exist (SQLSTATE 3D000)").await;
    until_shown(&console, 503).await;
    on.execute_as_superuser(&format!("CREATE DATABASE {later}"))
        .await;
    until_said(&worker, "does not hold the platform's tables").await;
    until_shown(&console, 503).await;
    dismiss(worker).await;
    console.stop().await;
    on.execute_as_superuser(&format!("DROP DATABASE {later} WITH (FORCE)"))
        .await;
}
