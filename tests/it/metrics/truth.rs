//! Metrics and the database tell one story, whatever happens to the processes that count.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::chaos::dice::{Dice, seed};
use crate::support::case::Case;
use crate::support::exposition::Exposition;
use crate::support::scene::{OPEN, Scene, dismiss, text_of};
use crate::support::time::eventually;
use crate::support::worker::Worker;

/// Sweeps and requests compete for the same runs; what a worker had in hand is taken over soon.
const CONFIG: &str = "
[sweep]
schedule = \"* * * * * *\"
batch_runs_max = 20
lanes = 2
[worker]
orphan_after = \"2s\"
[metrics]
census_every = \"1s\"
";

const ROUNDS: usize = 30;

/// Has every third transaction fail after it was decided, in a way that is tried again: whoever counts what was
/// tried counts too much.
const DISTURB: &str = "
    CREATE FUNCTION disturb() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF random() < 0.33 THEN
            RAISE EXCEPTION 'disturbed' USING ERRCODE = 'serialization_failure';
        END IF;
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER disturbed BEFORE INSERT ON reconciler.ledger FOR EACH STATEMENT EXECUTE FUNCTION disturb()";

/// Runs that stay open: their restore goes on.
const GOING_ON: i64 = 7;

/// A worker that is there, and what it exported when last asked.
struct Place {
    worker: Worker,
    seen: Exposition,
}

impl Place {
    async fn in_scene(scene: &Scene) -> Self {
        Self {
            worker: scene.worker().await,
            seen: Exposition::default(),
        }
    }
}

fn verdicts_in(exposition: &Exposition) -> BTreeMap<String, i64> {
    exposition.counts("reconciler_verdicts_total")
}

/// Verdicts on record of one process, or of all, labelled as they are exported.
async fn verdicts_of(scene: &Scene, pid: Option<i32>) -> BTreeMap<String, i64> {
    let whose = pid.map_or("true".to_owned(), |pid| format!("worker LIKE '%-{pid}-%'"));
    let verdicts = format!(
        "SELECT outcome, reason_code, count(*) AS verdicts
         FROM reconciler.ledger WHERE {whose} GROUP BY outcome, reason_code"
    );
    let rows = scene.rows(&verdicts).await;
    let rows = rows.iter().map(|row| {
        let [outcome, reason] = ["outcome", "reason_code"].map(|column| text_of(row, column));
        let labels = format!("outcome=\"{outcome}\",reason=\"{reason}\"");
        (labels, text_of(row, "verdicts").parse().expect("a count"))
    });
    rows.collect()
}

/// Polls until what is exported is as the database says. That is soon: a worker counts right after its commit.
async fn until_equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    mut look: impl AsyncFnMut() -> (T, T),
) {
    let last = RefCell::new(None);
    let are_equal = async || {
        let (exported, recorded) = look().await;
        let are_equal = exported == recorded;
        last.replace(Some((exported, recorded)));
        are_equal.then_some(())
    };
    let state = async || format!("{what}: exported and recorded {:#?}", last.borrow());
    eventually(are_equal, state).await;
}

#[tokio::test]
async fn verdicts_counted_and_lost_are_the_ledger_and_gauges_are_a_select() {
    let seed = seed();
    println!("RECONCILER_TEST_SEED={seed} repeats the choices of this run");
    let mut dice = Dice::from(seed);
    let scene = Scene::new(CONFIG).await;
    scene.execute(DISTURB).await;
    let mut places = Vec::new();
    for _ in 0..3 {
        places.push(Place::in_scene(&scene).await);
    }
    // Those that ended, with what they exported when last asked.
    let mut gone: Vec<(i32, Exposition)> = Vec::new();
    let mut next = 1;
    for _ in 0..ROUNDS {
        let place = dice.below(places.len());
        match dice.below(6) {
            0 => {
                let Place { worker, seen } = places.swap_remove(place);
                let pid = worker.pid();
                if dice.chance(70) {
                    worker.kill().await;
                } else {
                    dismiss(worker).await;
                }
                gone.push((pid, seen));
                places.push(Place::in_scene(&scene).await);
            }
            1 => {
                let place = &mut places[place];
                place.seen = Exposition::of(&place.worker).await;
            }
            _ => {
                let runs = next..next + 10 + i64::try_from(dice.below(40)).expect("a few");
                next = runs.end;
                let cases = runs.clone().map(|run| match dice.below(3) {
                    0 => Case::failed(run),
                    _ => Case::proven(run),
                });
                let cases: Vec<Case> = cases.collect();
                scene.plant(cases).await;
                if dice.chance(60) {
                    scene.request_open(runs).await;
                }
            }
        }
    }
    let going_on = next..next + GOING_ON;
    scene.plant(going_on.map(Case::in_progress)).await;
    scene.until(OPEN, GOING_ON, &places[0].worker).await;

    let mut lost = verdicts_of(&scene, None).await;
    for Place { worker, .. } in &places {
        let pid = worker.pid();
        until_equal("verdicts of a worker that is there", async || {
            let exported = verdicts_in(&Exposition::of(worker).await);
            (exported, verdicts_of(&scene, Some(pid)).await)
        })
        .await;
        for (labels, counted) in verdicts_in(&Exposition::of(worker).await) {
            *lost.get_mut(&labels).expect("a verdict of that kind") -= counted;
        }
    }
    for (pid, seen) in gone {
        let recorded = verdicts_of(&scene, Some(pid)).await;
        for (labels, counted) in verdicts_in(&seen) {
            let recorded = recorded.get(&labels).copied().unwrap_or_default();
            let said = format!("{pid} counted {counted} {labels}, the ledger {recorded}");
            assert!(counted <= recorded, "{said}");
        }
        for (labels, recorded) in recorded {
            *lost.get_mut(&labels).expect("a verdict of that kind") -= recorded;
        }
    }
    lost.retain(|_, left| *left != 0);
    assert!(lost.is_empty(), "nobody committed {lost:?}");
    assert!(next > 200, "{next} runs are too few to show anything");

    gauges_are_a_select(&scene, &places).await;
    for Place { worker, .. } in places {
        dismiss(worker).await;
    }
}

/// On every worker alike, after somebody has counted again. Also of a run that somebody has rewritten.
async fn gauges_are_a_select(scene: &Scene, places: &[Place]) {
    const SELECTS: [(&str, &str); 10] = [
        ("reconciler_ledger_rows", "SELECT count(*) FROM reconciler.ledger"),
        (
            "reconciler_open_runs",
            "SELECT count(*) FROM operation_runs WHERE type = 'restore.execute' AND status IN ('queued', 'running')",
        ),
        (
            "reconciler_queue_entries{state=\"deferred\"}",
            "SELECT count(*) FROM reconciler.watch_list WHERE reason_code <> 'run.settle_failed'",
        ),
        (
            "reconciler_queue_entries{state=\"refused\"}",
            "SELECT count(*) FROM reconciler.watch_list WHERE reason_code = 'run.settle_failed'",
        ),
        (
            "reconciler_ledger_foreign_rows",
            "SELECT count(*) FROM reconciler.ledger AS entry JOIN operation_runs AS run ON run.id = entry.operation_run_id
             WHERE run.created_at <> entry.run_created_at",
        ),
        (
            "reconciler_undecided_runs{reason=\"restore.in_progress\"}",
            "SELECT count(*) FROM reconciler.watch_list WHERE reason_code = 'restore.in_progress'",
        ),
        (
            "reconciler_queue_entries{state=\"waiting\"}",
            "SELECT count(*) FROM apalis.jobs WHERE job_type = 'restore.execute' AND status = 'Pending'",
        ),
        (
            "reconciler_queue_entries{state=\"dead_letter\"}",
            "SELECT count(*) FROM reconciler.attempts WHERE dead_at IS NOT NULL",
        ),
        (
            "reconciler_due_runs",
            "SELECT count(*) FROM operation_runs AS run
             WHERE status IN ('queued', 'running') AND id NOT IN (
                 SELECT operation_run_id FROM reconciler.watch_list WHERE look_again_at > now()
             )",
        ),
        (
            "reconciler_ledger_disagreements",
            "SELECT count(*) FROM reconciler.ledger AS entry JOIN operation_runs AS run ON run.id = entry.operation_run_id
             WHERE (run.status, run.outcome) IS DISTINCT FROM ('completed', entry.outcome)",
        ),
    ];
    // No look is due any more while these are compared.
    let changes = "
        UPDATE operation_runs SET outcome = 'succeeded' WHERE id IN (
            SELECT operation_run_id FROM reconciler.ledger WHERE outcome = 'failed' LIMIT 3
        );
        UPDATE operation_runs SET created_at = created_at - interval '1 s' WHERE id IN (
            SELECT operation_run_id FROM reconciler.ledger WHERE outcome = 'succeeded' LIMIT 2
        );
        UPDATE reconciler.watch_list SET look_again_at = now() + interval '1 hour';
        UPDATE reconciler.watch_list SET reason_code = 'run.settle_failed', error = 'refused by a test'
        WHERE operation_run_id = (SELECT min(operation_run_id) FROM reconciler.watch_list)";
    scene.execute(changes).await;
    for place in places {
        for (series, select) in SELECTS {
            until_equal(series, async || {
                let exported = Exposition::of(&place.worker).await.count(series);
                (exported, scene.count(select).await)
            })
            .await;
        }
        let exposition = Exposition::of(&place.worker).await;
        assert_eq!(exposition.count("reconciler_ledger_disagreements"), 3);
        assert_eq!(exposition.count("reconciler_open_runs"), GOING_ON);
    }
}
