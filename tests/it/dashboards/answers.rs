//! That every panel has something to show while runs are settled, and that an alert fires when it must.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use tokio::time::{Interval, interval};

use super::files::{Dashboard, dashboards};
use super::pictures;
use super::server::Prometheus;
use super::stage::Stage;
use crate::support::case::Case;
use crate::support::cluster::environment;
use crate::support::scene::{SWEEPS, Scene, VERDICTS};
use crate::support::time::TIMEOUT;

/// The census is as fast as the scrapes.
const CENSUS: &str = "[metrics]\ncensus_every = \"1s\"\n";
/// What Grafana makes of a scrape each second: four times as long. The chosen time is longer than the test.
const RATE_INTERVAL: &str = "4s";
const RANGE: &str = "15m";
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// For how many seconds work goes on, so that a picture has something to show. Without it, until every panel has.
const SECONDS: &str = "RECONCILER_TEST_DASHBOARD_SECONDS";

/// A Prometheus, and whoever looks at it again and again.
struct Watch {
    prometheus: Prometheus,
    began: Stopwatch,
    looks: Interval,
}

impl Watch {
    async fn of(stage: &Stage) -> Self {
        Self {
            prometheus: Prometheus::scraping(stage).await,
            began: Stopwatch::start(),
            looks: interval(LOOK_EVERY),
        }
    }

    async fn is_some(&self, expression: &str) -> bool {
        let answer = self.prometheus.ask(expression).await;
        answer.iter().any(|value| !value.is_nan())
    }

    /// Waits for the next look, and fails where there have been too many.
    async fn look(&mut self, what: &str) {
        assert!(self.began.elapsed() < TIMEOUT, "still nothing: {what}");
        self.looks.tick().await;
    }

    async fn until(&mut self, expression: &str) {
        while !self.is_some(expression).await {
            self.look(expression).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_has_something_to_show_and_an_overclaim_is_reported() {
    let stage = Stage::set(&format!("{SWEEPS}{CENSUS}")).await;
    let scene = &stage.scene;
    let mut watch = Watch::of(&stage).await;
    // What is counted before the first scrape is no increase.
    watch.until("reconciler_database_up == 1").await;

    let dashboards = dashboards();
    let targets = dashboards.iter().flat_map(Dashboard::targets);
    let mut silent: Vec<(&str, String)> = targets
        .map(|(panel, target)| (&*panel.title, target.expression(RATE_INTERVAL, RANGE)))
        .collect();
    assert!(silent.len() > 30, "{silent:#?}");
    // Work goes on all the while: a rate over some seconds is soon none again.
    for round in 0.. {
        play(scene, round).await;
        let mut still = Vec::new();
        for (panel, expression) in silent {
            if !watch.is_some(&expression).await {
                still.push((panel, expression));
            }
        }
        if still.is_empty() {
            break;
        }
        watch.look(&format!("{still:#?}")).await;
        silent = still;
    }
    let shown_for = environment(SECONDS).map(|text| text.parse().expect("a number of seconds"));
    for round in 1_000.. {
        if watch.began.elapsed().as_secs() >= shown_for.unwrap_or_default() {
            break;
        }
        watch.looks.tick().await;
        play(scene, round).await;
    }
    let seconds = watch.began.elapsed().as_secs() + 1;
    pictures::leave(&watch.prometheus, &dashboards, seconds).await;

    watch.began = Stopwatch::start();
    let verdicts = scene.count(VERDICTS).await;
    let counted = format!("max(reconciler_ledger_rows) >= {verdicts}");
    watch.until(&counted).await;

    let fires = |name: &str| format!("ALERTS{{alertname=~\"{name}\", alertstate=\"firing\"}}");
    let is_ill = watch.is_some(&fires("Reconciler.*")).await;
    assert!(!is_ill, "all is well so far");
    let overclaim = "UPDATE operation_runs SET outcome = 'succeeded' WHERE outcome = 'failed'";
    scene.execute(overclaim).await;
    watch.until(&fires("ReconcilerLedgerDisagreement")).await;
    stage.clear().await;
}

/// Runs of every sort: asked for, found by a sweep, proven, failed, and not ended yet.
async fn play(scene: &Scene, round: i64) {
    let first = 10 * round + 1;
    let going_on = (round == 0).then(|| Case::in_progress(first + 4));
    let cases = [
        Case::proven(first),
        Case::failed(first + 1),
        Case::proven(first + 2),
        Case::failed(first + 3),
    ];
    scene.plant(cases.into_iter().chain(going_on)).await;
    scene.request_open([first, first + 1]).await;
}
