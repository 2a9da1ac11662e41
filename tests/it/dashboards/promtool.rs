//! What Prometheus's own checks say of rules, of their cases, of the example configuration and of our metrics.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::exported;
use super::files::{alert_cases, dashboards, files, root, rules, rules_in, text};
use super::server::Place;
use crate::support::process::program;

/// Has it look at files, or at `input`, and fails where it is not content.
fn assert_content(what: &str, files: &[PathBuf], input: &str) {
    let mut tool = Command::new("promtool")
        .args(what.split(' '))
        .args(files)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is not installed: apt-get install prometheus, or run tests/run");
    let mut stdin = tool.stdin.take().expect("stdin is piped");
    // One that does not read ends the pipe, and says why in its output.
    stdin.write_all(input.as_bytes()).ok();
    drop(stdin);
    let output = tool.wait_with_output().expect("it is ours to wait for");
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_example_configuration_and_its_rules_are_valid() {
    let place = Place::of_the_example();
    let config = place.path("prometheus.yml");
    assert_content("check config --lint=all --lint-fatal", &[config], "");
    let mut rules = files("config/prometheus", "yml");
    rules.retain(|path| !path.ends_with("prometheus.yml"));
    assert_content("check rules --lint=all --lint-fatal", &rules, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_named_and_described_as_it_should_be() {
    let (_, live) = exported().await;
    for text in &live {
        assert_content("check metrics", &[], text);
    }
}

#[test]
fn alerts_fire_and_stay_silent_when_they_should() {
    assert_content("test rules", &files("tests/prometheus", "yml"), "");
}

/// What `config alerts` prints.
fn printed(arguments: &[&str]) -> String {
    let printed = program("", &[&["config", "alerts"], arguments].concat()).output();
    let printed = printed.expect("the binary was built");
    assert!(printed.status.success(), "{printed:?}");
    String::from_utf8(printed.stdout).expect("text")
}

#[test]
fn alerts_are_printed_as_they_ship_or_with_the_places_that_are_given() {
    assert_eq!(
        printed(&[]),
        text(&root().join("config/prometheus/alerts.yml"))
    );
    let file = tempfile::NamedTempFile::with_suffix(".yml").expect("a file");
    let places = [
        "--runbooks",
        "https://wiki.example/it's/runbooks/",
        "--dashboards",
        "https://grafana.example",
    ];
    fs::write(file.path(), printed(&places)).expect("it can be written");
    assert_content(
        "check rules --lint=all --lint-fatal",
        &[file.path().to_owned()],
        "",
    );
    let dashboards = dashboards();
    let (mut count, shipped) = (0, rules());
    for (alert, shipped) in rules_in(file.path())
        .iter()
        .zip(shipped.iter().filter(|it| it.alert.is_some()))
    {
        let annotation = |of: &str| alert.annotations[of].as_str();
        let page = annotation("runbook_url").strip_prefix("https://wiki.example/it%27s/runbooks/");
        let page = root().join("config/runbooks").join(page.expect("a page"));
        assert!(page.exists(), "{alert:?}");
        let uid = annotation("dashboard_url").strip_prefix("https://grafana.example/d/");
        assert!(
            dashboards.iter().any(|it| Some(&*it.uid) == uid),
            "{alert:?}"
        );
        assert_eq!((alert.name(), &alert.expr), (shipped.name(), &shipped.expr));
        count += 1;
    }
    assert!(count > 20, "{count} alerts");
    for wrong in [
        "grafana.example",
        "file:///etc",
        "https://x.example/?a",
        "x'y",
    ] {
        let refused = program("", &["config", "alerts", "--dashboards", wrong]).output();
        assert_eq!(refused.expect("it runs").status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let cases = alert_cases();
    let mut missing = Vec::new();
    for alert in rules().iter().filter(|rule| rule.alert.is_some()) {
        let of_alert = || cases.iter().filter(|case| case.alertname == alert.name());
        let (name, severity) = (alert.name(), alert.severity());
        let mut firings = of_alert().flat_map(|case| &case.exp_alerts);
        let fires = firings.any(|firing| firing.exp_labels["severity"] == severity);
        let is_silent = of_alert().any(|case| case.exp_alerts.is_empty());
        if !(fires && is_silent) {
            missing.push(format!(
                "{name} ({severity}): fires {fires}, silent {is_silent}"
            ));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    for case in &cases {
        let is_there = rules().iter().any(|rule| rule.name() == case.alertname);
        assert!(is_there, "{case:?}");
    }
    // Else promtool would test rules of somebody else.
    for file in files("tests/prometheus", "yml") {
        let text = text(&file);
        for rules in ["rules.yml", "alerts.yml"] {
            let named = text.contains(&format!("- ../../config/prometheus/{rules}\n"));
            assert!(named, "{}", file.display());
            assert!(root().join("config/prometheus").join(rules).exists());
        }
    }
}
