//! The standard work: the runs that are settled while the clock is running.
//!
//! Seven of ten have complete proof; the others are spread evenly over the reasons for which a verdict is
//! below `succeeded`. Nothing is random: run N is the same in every measurement.

use jiff::Timestamp;
use reconciler_jobs::restore_execute::ReasonCode;
use serde_json::{Value, json};

use reconciler_fixtures::{Case, CaseIds, PlantedBackupItem, PlatformRows};

/// How many workspaces share the runs.
const WORKSPACES: i64 = 50;

/// The first item of each restore.
const FIRST_ITEM: i64 = 1_000;

/// What a verdict will say, and what makes it say so, in a restore of so many items.
type Flaw = (ReasonCode, fn(&mut Case, i64));

/// The runs below `succeeded`, as often as each other.
const FLAWS: [Flaw; 15] = [
    (ReasonCode::ItemsMixed, |it, _| set_first(it, "skipped")),
    (ReasonCode::ItemsMissing, |it, items| {
        it.without_item(&(FIRST_ITEM + items - 1).to_string());
        it.recount();
    }),
    (ReasonCode::ItemsUnrecognised, |it, _| {
        set_first(it, "applied_with_warnings");
    }),
    (ReasonCode::ItemsUnexpected, |it, items| {
        let requested: Vec<i64> = (FIRST_ITEM..FIRST_ITEM + items - 1).collect();
        it.restore.requested_items = Some(json!(requested).to_string());
    }),
    (ReasonCode::AllItemsFailed, |it, _| it.every_item("failed")),
    (ReasonCode::ExecutionFailed, |it, _| it.ended("failed")),
    (ReasonCode::Cancelled, |it, _| {
        it.ended("cancelled");
        it.without_items();
        it.recount();
    }),
    (ReasonCode::CancelledAfterWrites, |it, _| {
        it.ended("cancelled");
    }),
    (ReasonCode::AbortedAfterWrites, |it, _| it.ended("aborted")),
    (ReasonCode::AuditMissing, |it, _| it.audits.clear()),
    (ReasonCode::AuditContradicts, |it, _| it.audited("failed")),
    (ReasonCode::EvidenceMissing, |it, _| it.snapshots.clear()),
    (ReasonCode::EvidenceIncomplete, |it, _| {
        it.each_snapshot(|snapshot| "partial".clone_into(&mut snapshot.completeness_state));
    }),
    (ReasonCode::EvidencePredatesRestore, |it, _| {
        let before = it.ago(130);
        it.each_snapshot(|snapshot| snapshot.generated_at = Some(before.clone()));
    }),
    (ReasonCode::EvidenceExpired, |it, _| {
        let before = it.ago(60);
        it.each_snapshot(|snapshot| snapshot.expires_at = Some(before.clone()));
    }),
];

/// How many runs with complete proof stand before the flawed ones.
const PROVEN: usize = FLAWS.len() * 7 / 3;

/// What the verdict about a run will say.
#[cfg(test)]
fn expected(run: i64) -> ReasonCode {
    flaw(run).map_or(ReasonCode::ProofComplete, |(reason, _)| *reason)
}

fn flaw(run: i64) -> Option<&'static Flaw> {
    let kinds = PROVEN + FLAWS.len();
    let kind = usize::try_from(run.unsigned_abs()).unwrap_or_default() % kinds;
    FLAWS.get(kind.checked_sub(PROVEN)?)
}

/// The workspaces, with one environment and one backup set each.
pub(crate) fn workspaces() -> PlatformRows {
    let mut rows = PlatformRows::default();
    for id in 1..=WORKSPACES {
        let environments = [(environment_of(id), "Production")];
        rows.add_environments(id, format!("Customer {id}"), environments);
    }
    rows
}

fn environment_of(workspace: i64) -> i64 {
    workspace * 10 + 1
}

/// The environments beside that one.
fn others_of(workspace: i64) -> impl Iterator<Item = i64> {
    let all = workspace * 10..(workspace + 1) * 10;
    all.filter(move |id| *id != environment_of(workspace))
}

/// How many items a backup set has beside settled runs.
const BACKUP_ITEMS: i64 = 20;

/// What else the workspaces of years have: ten environments each, whose backup sets hold items.
pub(crate) fn estate() -> PlatformRows {
    let mut rows = PlatformRows::default();
    for workspace in 1..=WORKSPACES {
        let branches = others_of(workspace).map(|id| (id, format!("Branch {id}")));
        rows.add_branches(workspace, branches);
        let sets = std::iter::once(environment_of(workspace)).chain(others_of(workspace));
        rows.backup_items.extend(sets.flat_map(|set| {
            (0..BACKUP_ITEMS).map(move |_| PlantedBackupItem {
                backup_set_id: set,
                policy_type: "deviceConfiguration".to_owned(),
                payload: r#"{"settings": ["one", "another"]}"#.to_owned(),
                captured_at: "2025-01-01T00:00:00Z".to_owned(),
                ..PlantedBackupItem::default()
            })
        }));
    }
    rows
}

/// Due runs, each with a restore of `items` items, which have the runs' own numbers.
pub(crate) fn runs(numbers: impl Iterator<Item = i64>, items: u32, now: Timestamp) -> PlatformRows {
    let cases = numbers.map(|run| case(run, i64::from(items), now));
    cases.collect()
}

fn case(run: i64, items: i64, now: Timestamp) -> Case {
    let workspace = 1 + run.rem_euclid(WORKSPACES);
    let ids = CaseIds {
        run,
        restore: run,
        workspace,
        environment: environment_of(workspace),
    };
    let mut case = Case::new(ids, now);
    case.without_foundation();
    case.request((FIRST_ITEM..FIRST_ITEM + items).map(|number| (number, item(number, "applied"))));
    if let Some((_, differs)) = flaw(run) {
        differs(&mut case, items);
    }
    case
}

/// How long the results of one proven restore are.
pub(crate) fn results_bytes(items: u32) -> usize {
    let case = case(0, i64::from(items), Timestamp::UNIX_EPOCH);
    case.restore.results.map_or(0, |results| results.len())
}

fn set_first(case: &mut Case, outcome: &str) {
    case.item(&FIRST_ITEM.to_string(), item(FIRST_ITEM, outcome));
    case.recount();
}

/// What the platform writes about one policy.
fn item(number: i64, outcome: &str) -> Value {
    json!({
        "status": outcome,
        "policy_type": "deviceConfiguration",
        "policy_identifier": format!("6f1d2b8e-0c55-4b1e-9a7d-{number:012}"),
        "created_policy_id": format!("c2a94e07-77b1-4f3a-8c60-{number:012}"),
    })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use reconciler_fixtures::Standin;
    use reconciler_jobs::ids::RunId;
    use restore_reconciler::internals::storage::{Access, Limits, Settlement, connect};
    use restore_reconciler::internals::sweep::{Scope, sweep};

    use super::*;
    use crate::bench::settling;

    #[tokio::test]
    async fn each_run_comes_to_what_it_was_planted_for() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/work.sqlite", directory.path().display());
        let limits = Limits::default();
        let store = connect(&url, Access::Create, &limits).await.unwrap();
        let standin = Standin::new(&url).unwrap();
        standin.install().await.unwrap();
        store.migrate().await.unwrap();
        standin.plant(&workspaces()).await.unwrap();
        let all = 1..=100;
        let now = store.now().await.unwrap();
        standin.plant(&runs(all.clone(), 20, now)).await.unwrap();

        let mut found = Vec::new();
        let with = settling();
        sweep(&store, Scope::default(), &with, |settled| {
            found.extend(settled.iter().map(|settled| match &settled.result {
                Settlement::Committed(it) => (settled.run, it.decision.reason),
                other => panic!("{}: {other:?}", settled.run.0),
            }));
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
        found.sort_by_key(|(run, _)| *run);
        let wanted: Vec<_> = all.map(|run| (RunId(run), expected(run))).collect();
        assert_eq!(found, wanted);
        let is_proven = |(_, reason): &&(RunId, ReasonCode)| *reason == ReasonCode::ProofComplete;
        assert_eq!(found.iter().filter(is_proven).count(), 70);
    }

    #[test]
    fn results_are_as_long_as_those_of_twenty_items() {
        assert!((3_000..4_000).contains(&results_bytes(20)));
    }
}
