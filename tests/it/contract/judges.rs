//! Workers of other rules: a lower ruleset settles nothing beside a higher one, and other settings are told of.

use jiff::SignedDuration;
use reconciler_jobs::restore_execute::{Policy, RULESET_NUMBER};
use restore_reconciler::internals::doctor::{Check, Level, examine};
use restore_reconciler::internals::storage::{Judge, Settlement};

use crate::support::case::Case;
use crate::support::store::{Fixture, on_all};

on_all!(
    a_lower_ruleset_settles_nothing_beside_a_higher_one,
    verdicts_of_the_first_ruleset_are_refused_beside_a_newer_worker,
    workers_of_other_settings_are_told_of,
    a_worker_says_which_version_it_is_and_when_it_sweeps_next,
);

fn judge(worker: &str) -> Judge {
    Judge::new(worker, &Policy::default()).unwrap()
}

async fn a_worker_says_which_version_it_is_and_when_it_sweeps_next(on: Fixture) {
    let own = Judge {
        next_sweep_at: Some("2030-01-01T00:00:00Z".parse().unwrap()),
        ..judge("own")
    };
    let version = own.version.clone().expect("a version");
    assert!(version.starts_with(env!("CARGO_PKG_VERSION")), "{version}");
    for said in [judge("own"), own] {
        on.store.announce_rules(&said).await.unwrap();
        assert_eq!(on.store.list_judges().await.unwrap(), [said]);
    }
}

/// The order in which a file lists words changes nothing that is judged.
#[test]
fn settings_in_another_order_are_the_same_settings() {
    type List = fn(&mut Policy) -> &mut Vec<String>;
    let lists: [List; 8] = [
        |policy| &mut policy.audit_actions,
        |policy| &mut policy.audit_resource_types,
        |policy| &mut policy.blocker_codes,
        |policy| &mut policy.summary_keys,
        |policy| &mut policy.item_words.applied,
        |policy| &mut policy.item_words.partial,
        |policy| &mut policy.item_words.failed,
        |policy| &mut policy.item_words.not_applied,
    ];
    for list in lists {
        let [one, other, fewer] = ["patched renewed", "renewed patched", "patched"].map(|words| {
            let mut policy = Policy::default();
            *list(&mut policy) = words.split(' ').map(str::to_owned).collect();
            Judge::new("one", &policy).unwrap()
        });
        assert!(one.agrees_with(&other));
        assert!(!one.agrees_with(&fewer));
    }
}

async fn rules(on: &Fixture) -> Option<Check> {
    let checks = examine(&on.store, None).await.unwrap().checks;
    checks.into_iter().find(|check| check.subject == "rules")
}

async fn a_lower_ruleset_settles_nothing_beside_a_higher_one(on: Fixture) {
    on.plant([Case::proven(1), Case::proven(2)]).await;
    on.store.announce_rules(&judge("own")).await.unwrap();
    let newer = Judge {
        ruleset: RULESET_NUMBER + 1,
        ..judge("newer")
    };
    on.store.announce_rules(&newer).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(on.settle_one(1).await, Settlement::Locked));
    }
    on.assert_one_of_each(0).await;
    let check = rules(&on).await.unwrap();
    assert_eq!(check.level, Level::Problem);
    assert!(
        check.finding.starts_with("newer judges by ruleset"),
        "{check:?}"
    );

    // It was upgraded back, or is gone for long enough.
    let older = on.either(
        "UPDATE reconciler.judges SET seen_at = seen_at - 31000000 WHERE worker = 'newer'",
        "UPDATE reconciler.judges SET seen_at = seen_at - interval '31 s' WHERE worker = 'newer'",
    );
    on.execute(older).await;
    on.verdict(1).await;
    let lower = Judge {
        ruleset: RULESET_NUMBER - 1,
        ..judge("older")
    };
    on.store.announce_rules(&lower).await.unwrap();
    on.verdict(2).await;
    on.assert_one_of_each(2).await;
}

/// They know nothing of newer rules, so the database knows it for them.
async fn verdicts_of_the_first_ruleset_are_refused_beside_a_newer_worker(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    on.verdict(1).await;
    let columns = "workspace_id, managed_environment_id, outcome, reason_code, facts, facts_digest, decision, \
                   worker, source, decided_at, run_created_at";
    let first = format!(
        "INSERT INTO reconciler.ledger (decision_id, operation_run_id, ruleset, {columns})
         SELECT substr(decision_id, 2) || '0', 2, 'restore.execute/1', {columns}
         FROM reconciler.verdicts WHERE operation_run_id = 1"
    );
    on.store.announce_rules(&judge("own")).await.unwrap();
    let refused = on.try_execute(&first).await.unwrap_err().to_string();
    assert!(
        refused.contains("a worker of newer rules is at work"),
        "{refused}"
    );
    on.execute("DELETE FROM reconciler.judges").await;
    on.execute(&first).await;
}

async fn workers_of_other_settings_are_told_of(on: Fixture) {
    assert!(rules(&on).await.is_none(), "nobody is at work");
    on.store.announce_rules(&judge("one")).await.unwrap();
    on.store.announce_rules(&judge("another")).await.unwrap();
    assert_eq!(rules(&on).await.unwrap().level, Level::Good);
    let policy = Policy {
        settle_window: SignedDuration::from_mins(11),
        ..Policy::default()
    };
    let odd = Judge::new("odd", &policy).unwrap();
    on.store.announce_rules(&odd).await.unwrap();
    let check = rules(&on).await.unwrap();
    assert_eq!(check.level, Level::Problem);
    assert!(check.finding.contains("odd judges by ruleset"), "{check:?}");
    on.store.announce_rules(&judge("odd")).await.unwrap();
    assert_eq!(rules(&on).await.unwrap().level, Level::Good);
}
