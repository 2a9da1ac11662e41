//! Dashboards, rules, alerts and runbooks: that they ask for what is exported, answer, fire, and lead somewhere.
//!
//! ```text
//! config/grafana    ─┐                  ┌─ /metrics of a worker and a console, metrics::DECLARED
//! config/prometheus ─┼▶ expressions ─▶ ─┤
//! tests/prometheus  ─┘                  └─ promtool, and a Prometheus that scrapes both
//! ```

mod answers;
mod expression;
mod files;
mod known;
mod looks;
mod pictures;
mod promtool;
mod runbooks;
mod server;
mod stage;

use std::collections::BTreeSet;

use restore_reconciler::internals::metrics::DECLARED;

use crate::support::scene::NO_SWEEPS;
use expression::Reading;
use files::{Dashboard, dashboards, rules};
use known::Known;
use stage::Stage;

/// What a worker and a console export, as it is on their ports, and as text.
async fn exported() -> (Known, [String; 2]) {
    let stage = Stage::set(NO_SWEEPS).await;
    let live = stage.exported().await;
    stage.clear().await;
    let mut known = Known::default();
    for text in &live {
        known.add_exported(text);
    }
    known.add_alerts();
    (known, live)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_asks_for_what_is_exported_and_all_of_it_is_asked_for() {
    let (mut known, _) = exported().await;
    let mut faults = Vec::new();
    let mut read = |origin: &str, text: &str, texts: &[&str], known: &Known| {
        let reading = Reading::of(text, texts, known);
        let found = reading.faults.iter();
        faults.extend(found.map(|fault| format!("{origin}: {fault}")));
        reading
    };
    let rules = rules();
    let mut recorded = Vec::new();
    for rule in rules.iter().filter(|rule| rule.record.is_some()) {
        let reading = read(rule.name(), &rule.expr, &[], &known);
        known.add_labels(rule.name(), reading.labels.iter().map(String::as_str));
        recorded.push((rule.name(), reading.names));
    }
    let mut asked = BTreeSet::new();
    for alert in rules.iter().filter(|rule| rule.alert.is_some()) {
        let texts: Vec<&str> = alert.annotations.values().map(String::as_str).collect();
        asked.extend(read(alert.name(), &alert.expr, &texts, &known).names);
    }
    for (panel, target) in dashboards().iter().flat_map(Dashboard::targets) {
        let expression = target.expression("5m", "6h");
        asked.extend(read(&panel.title, &expression, &[&target.legend_format], &known).names);
    }
    for dashboard in dashboards() {
        for marked in &dashboard.annotations.list {
            read(&marked.name, &marked.expr, &[&marked.text_format], &known);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");

    for (name, of) in recorded {
        assert!(asked.contains(name), "{name} is recorded for nobody");
        asked.extend(of);
    }
    let declared = DECLARED.iter().map(|declared| declared.name);
    let unseen: Vec<&str> = declared.filter(|name| !asked.contains(*name)).collect();
    assert!(unseen.is_empty(), "in no panel and no alert: {unseen:?}");
}

/// Expressions, and what is wrong with each.
const WRONG: &str = r#"
    sum(rate(verdicts_total[5m]) ⇒ cannot be parsed
    sum(rate(verdict_total[5m])) ⇒ no metric is called verdict_total
    max(lag_seconds) ⇒ no metric is called lag_seconds
    sum by (reason) (rate(verdicts_total[5m])) ⇒ no label reason
    sum(rate(verdicts_total{reason="x"}[5m])) ⇒ no label reason
    sum(rate(verdicts_total{outcome="fail"}[5m])) ⇒ matches no series
    sum(rate(lag_seconds_bucket{le="7"}[5m])) ⇒ matches no series
    sum(verdicts_total) ⇒ counts up
    histogram_quantile(0.9, sum(rate(lag_seconds_bucket[5m]))) ⇒ no label le
    open and on (outcome) open ⇒ no label outcome
    sum by (outcome) (sum(rate(verdicts_total[5m]))) ⇒ no label outcome
"#;

/// Expressions with nothing wrong, and a text beside each.
const RIGHT: &str = r#"
    sum by (outcome) (increase(verdicts_total{outcome!="x"}[5m])) > 0 ⇒ {{outcome}}
    topk(3, sum by (outcome) (rate(verdicts_total[5m]))) ⇒ {{ $labels.outcome }}
    histogram_quantile(0.9, sum by (le) (rate(lag_seconds_bucket[5m]))) ⇒ half
    open and on (instance, job) open ⇒ {{instance}} {{ $value | humanize }}
"#;

fn rows(table: &str) -> impl Iterator<Item = (&str, &str)> {
    table.lines().filter_map(|row| row.trim().split_once(" ⇒ "))
}

/// Whoever changes a check finds out here whether it still sees what it is for.
#[test]
fn a_wrong_expression_is_found() {
    let mut known = Known::default();
    known.add_exported(
        "# TYPE verdicts_total counter\nverdicts_total{outcome=\"failed\"} 0\n\
         # TYPE lag_seconds histogram\nlag_seconds_bucket{le=\"5\"} 0\nlag_seconds_count 0\n\
         # TYPE open gauge\nopen 1\n",
    );
    let faults = |text: &str, texts: &[&str]| Reading::of(text, texts, &known).faults;
    for (text, fault) in rows(WRONG) {
        let found = faults(text, &[]).concat();
        assert!(found.contains(fault), "{text}: {found:?}");
    }
    for (text, shown) in rows(RIGHT) {
        assert_eq!(faults(text, &[shown]), [""; 0], "{text}");
    }
    let gone = faults("max(open)", &["{{instance}}"]).concat();
    assert!(gone.contains("no label instance"), "{gone}");
}
