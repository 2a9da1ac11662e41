//! A ledger that programs of the first ruleset wrote: after all migrations that came since, each verdict in it stands.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use reconciler_fixtures::{PlantedRun, PlatformRows};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::review::Standing;
use restore_reconciler::internals::storage::Settlement;
use restore_reconciler::internals::storage::reader::Workspaces;
use serde_json::Value;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;

use crate::cli::stage::run;
use crate::support::roles::{Purpose, connect};
use crate::support::store::{Fixture, on_both_empty};

on_both_empty!(verdicts_of_the_first_ruleset_stand_after_the_upgrade);

/// The pure crate's own test of these says how they were made.
const FIRST: &str = include_str!("../../../jobs/tests/laws/corpus/ruleset_1.jsonl");

/// The last migrations of the last program of the first ruleset.
const LAST_OF_FIRST: (i64, i64) = (3, 5);

/// Our schema as that program had it, made by the role that migrates.
async fn migrate_as_then(on: &Fixture) {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let (of_file, of_server) = LAST_OF_FIRST;
    if on.is_sqlite() {
        let mut all = Migrator::new(migrations.join("sqlite")).await.unwrap();
        all.dangerous_set_table_name("reconciler_migrations");
        let pool = SqlitePool::connect(&on.url).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        let run = all.run_direct(Some(of_file), &mut *connection, false);
        run.await.unwrap();
    } else {
        let mut all = Migrator::new(migrations.join("postgres")).await.unwrap();
        all.create_schema("reconciler");
        all.dangerous_set_table_name("reconciler.migrations");
        let mut connection = connect(Purpose::Migrator, &on.url).await;
        let run = all.run_direct(Some(of_server), &mut connection, false);
        run.await.unwrap();
    }
}

/// A verdict on record, with its facts; none on a run whose row does not say when it was created, or that has one already.
fn verdicts() -> Vec<(Value, Value)> {
    let mut runs = BTreeSet::new();
    let entries = FIRST.lines().map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let facts = serde_json::from_str(entry["facts"].as_str().unwrap()).unwrap();
        (entry, facts)
    });
    let is_told = |(_, facts): &(Value, Value)| {
        let run = &facts["run"];
        run["created_at"]["at"].is_string() && runs.insert(run["id"].as_i64())
    };
    entries.filter(is_told).collect()
}

/// The entry, as that program's statement had it.
fn insert(on: &Fixture, entry: &Value, facts: &Value) -> String {
    let text = |column: &str| entry[column].as_str().unwrap().replace('\'', "''");
    let run = &facts["run"];
    let (id, workspace, environment) = (&run["id"], &run["workspace_id"], &run["environment_id"]);
    let at: Timestamp = facts["as_of"].as_str().unwrap().parse().unwrap();
    let (micros, moment) = (at.as_microsecond().to_string(), format!("'{at}'"));
    let decided_at = on.either(&micros, &moment);
    let digest = text("facts_digest");
    format!(
        "INSERT INTO reconciler.ledger (decision_id, operation_run_id, workspace_id, managed_environment_id, outcome,
             reason_code, ruleset, facts, facts_digest, decision, worker, source, decided_at)
         VALUES ('{}', {id}, {workspace}, {environment}, '{}', '{}', '{}', '{}', '{digest}', '{}', 'w', 'sweep', {decided_at});",
        &digest[..32],
        text("outcome"),
        text("reason_code"),
        text("ruleset"),
        text("facts"),
        text("decision"),
    )
}

/// The runs that the entries are about, closed by them.
fn runs(verdicts: &[(Value, Value)]) -> PlatformRows {
    let mut rows = PlatformRows::default();
    let mut places = BTreeSet::new();
    for (entry, facts) in verdicts {
        let run = &facts["run"];
        let [id, workspace_id, environment] =
            ["id", "workspace_id", "environment_id"].map(|key| run[key].as_i64().unwrap());
        places.insert((workspace_id, environment));
        rows.runs.push(PlantedRun {
            id,
            workspace_id,
            managed_environment_id: Some(environment),
            r#type: "restore.execute".to_owned(),
            status: "completed".to_owned(),
            outcome: entry["outcome"].as_str().unwrap().to_owned(),
            context: Some("{}".to_owned()),
            created_at: run["created_at"]["at"].as_str().map(str::to_owned),
            ..PlantedRun::default()
        });
    }
    let workspaces: BTreeSet<i64> = places.iter().map(|(workspace, _)| *workspace).collect();
    for workspace in workspaces {
        let environments = places.iter().filter(|(of, _)| *of == workspace);
        let environments = environments.map(|(_, id)| (*id, "Environment"));
        rows.add_environments(workspace, "Workspace", environments);
    }
    rows
}

async fn verdicts_of_the_first_ruleset_stand_after_the_upgrade(on: Fixture) {
    on.install().await;
    migrate_as_then(&on).await;
    let verdicts = verdicts();
    assert!(verdicts.len() >= 60, "{}", verdicts.len());
    let entries = verdicts.iter();
    let entries: String = entries
        .map(|(entry, facts)| insert(&on, entry, facts))
        .collect();
    on.execute(&entries).await;
    on.platform.plant(&runs(&verdicts)).await.unwrap();

    on.migrator().await.migrate().await.unwrap();
    on.grant().await;
    let reader = on.store.reader();
    for (entry, facts) in &verdicts {
        let run = RunId(facts["run"]["id"].as_i64().unwrap());
        let found = reader.load_verdict(&Workspaces::All, run).await.unwrap();
        let found = found.unwrap_or_else(|| panic!("run {run} has lost its verdict"));
        assert_eq!(found.standing(), Standing::Stands, "run {run}");
        assert_eq!(found.facts.as_deref(), entry["facts"].as_str());
        for (column, kept) in [
            ("ruleset", found.ruleset),
            ("outcome", found.outcome),
            ("reason_code", found.reason_code),
            ("facts_digest", found.facts_digest),
            ("decision", found.decision),
        ] {
            assert_eq!(Some(&*kept), entry[column].as_str(), "run {run}");
        }
        let again = on.settle_one(run.0).await;
        assert!(!matches!(again, Settlement::Committed(_)), "{again:?}");
    }
    // So they do for a check of the whole ledger, which finds neither our words in the runs nor audit entries, and no position.
    let checked = run(&on.url, &["ledger", "verify", "-o", "json"]).exits(3);
    let checked: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(checked["counts"]["entries"], verdicts.len(), "{checked}");
    let about: Vec<&str> = (checked["disagreements"].as_array().unwrap().iter())
        .map(|it| it["about"].as_str().unwrap())
        .collect();
    let are_expected = about.iter().all(|it| matches!(*it, "run" | "audit"));
    assert!(
        are_expected && about.len() == 2 * verdicts.len(),
        "{checked}"
    );
}
