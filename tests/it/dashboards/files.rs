//! What is in the files, as far as tests look at it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) use crate::manual::root;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dashboard {
    pub(super) uid: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) schema_version: u32,
    pub(super) links: Vec<Link>,
    pub(super) annotations: Annotations,
    pub(super) templating: Templating,
    pub(super) panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Annotations {
    pub(super) list: Vec<Annotation>,
}

/// Moments that are marked in every panel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Annotation {
    pub(super) name: String,
    pub(super) expr: String,
    pub(super) text_format: String,
    pub(super) datasource: Datasource,
}

#[derive(Debug, Deserialize)]
pub(super) struct Templating {
    pub(super) list: Vec<Variable>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) query: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) title: String,
    pub(super) url: String,
}

/// A panel, or the headline of a row.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Panel {
    pub(super) id: u32,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) title: String,
    #[serde(default)]
    pub(super) description: String,
    pub(super) datasource: Option<Datasource>,
    pub(super) grid_pos: Place,
    #[serde(default)]
    pub(super) field_config: FieldConfig,
    #[serde(default)]
    pub(super) targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Datasource {
    pub(super) uid: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Place {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) w: u32,
    pub(super) h: u32,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FieldConfig {
    pub(super) defaults: Defaults,
    #[serde(default)]
    overrides: Vec<Override>,
}

/// What is different of some series.
#[derive(Debug, Deserialize)]
struct Override {
    matcher: Matched,
    properties: Vec<Property>,
}

#[derive(Debug, Deserialize)]
struct Matched {
    id: String,
    options: String,
}

#[derive(Debug, Deserialize)]
struct Property {
    id: String,
    value: Value,
}

impl FieldConfig {
    /// The series that have a colour of their own, by name or pattern, with the colour.
    pub(super) fn colours(&self) -> BTreeMap<&str, &str> {
        let colour = |it: &Property| it.id == "color" && it.value["mode"] == "fixed";
        let of_series = self.overrides.iter().filter_map(|it| {
            assert!(
                ["byName", "byRegexp"].contains(&it.matcher.id.as_str()),
                "{it:?}"
            );
            let found = it.properties.iter().find(|it| colour(it))?;
            Some((
                it.matcher.options.as_str(),
                found.value["fixedColor"].as_str()?,
            ))
        });
        of_series.collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Defaults {
    pub(super) no_value: Option<String>,
    pub(super) unit: Option<String>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target {
    pub(super) expr: String,
    pub(super) legend_format: String,
    pub(super) datasource: Datasource,
}

impl Dashboard {
    /// Panels, without the headlines of rows.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Panel> {
        self.panels.iter().filter(|panel| panel.kind != "row")
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = (&Panel, &Target)> {
        self.shown()
            .flat_map(|panel| panel.targets.iter().map(move |target| (panel, target)))
    }
}

impl Target {
    /// With Grafana's own variables replaced by the time between two scrapes, four times, and the chosen time.
    pub(super) fn expression(&self, rate_interval: &str, range: &str) -> String {
        let text = self.expr.replace("$__rate_interval", rate_interval);
        let text = text.replace("$__range", range).replace("$instance", ".*");
        assert!(!text.contains('$'), "a variable that no test knows: {text}");
        text
    }
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// What is recorded, or an alert.
#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    pub(super) record: Option<String>,
    pub(super) alert: Option<String>,
    pub(super) expr: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Rule {
    pub(super) fn name(&self) -> &str {
        let name = self.record.as_deref().or(self.alert.as_deref());
        name.expect("a rule records or alerts")
    }

    pub(super) fn severity(&self) -> &str {
        self.labels.get("severity").map_or("", String::as_str)
    }
}

#[derive(Deserialize)]
struct CaseFile {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    alert_rule_test: Vec<AlertCase>,
}

/// What an alert does at one moment of a case.
#[derive(Debug, Deserialize)]
pub(super) struct AlertCase {
    pub(super) alertname: String,
    pub(super) exp_alerts: Vec<Firing>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Firing {
    pub(super) exp_labels: BTreeMap<String, String>,
}

/// The files of a directory with this ending, in order; at least one.
pub(super) fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).expect(directory);
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{directory}");
    files
}

pub(super) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn dashboards() -> Vec<Dashboard> {
    let files = files("config/grafana/dashboards", "json");
    let read = |path: &PathBuf| {
        serde_json::from_str(&text(path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.iter().map(read).collect()
}

/// Everything recorded comes before the alerts.
pub(super) fn rules() -> Vec<Rule> {
    let files = ["rules.yml", "alerts.yml"].map(|name| root().join("config/prometheus").join(name));
    files.iter().flat_map(|path| rules_in(path)).collect()
}

pub(super) fn rules_in(path: &Path) -> Vec<Rule> {
    let groups = yaml::<RuleFile>(path).groups.into_iter();
    groups.flat_map(|group| group.rules).collect()
}

pub(super) fn alert_cases() -> Vec<AlertCase> {
    let files = files("tests/prometheus", "yml");
    let cases = files.iter().flat_map(|path| yaml::<CaseFile>(path).tests);
    cases.flat_map(|case| case.alert_rule_test).collect()
}

fn yaml<T: DeserializeOwned>(path: &Path) -> T {
    serde_saphyr::from_str(&text(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
