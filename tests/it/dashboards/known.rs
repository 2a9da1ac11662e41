//! What can be asked for: the names of metrics, their labels, and, where it is known, every series.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::Matcher;

/// What Prometheus adds to everything that it scrapes.
const OF_THE_TARGET: [&str; 2] = ["instance", "job"];

type Series = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(super) struct Known {
    metrics: BTreeMap<String, Metric>,
}

#[derive(Debug, Default)]
pub(super) struct Metric {
    pub(super) labels: BTreeSet<String>,
    /// Empty where nobody knows which there will be.
    series: Vec<Series>,
    /// What is declared: without the ending of one part of a histogram.
    pub(super) family: String,
    /// A counter, or a part of a histogram, which is one.
    pub(super) counts_up: bool,
}

impl Known {
    /// From the text that Prometheus reads.
    pub(super) fn add_exported(&mut self, text: &str) {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let kinds: BTreeMap<_, _> = types.filter_map(|it| it.split_once(' ')).collect();
        let is_series = |line: &&str| !line.starts_with('#') && !line.is_empty();
        for line in text.lines().filter(is_series) {
            let (series, _value) = line.rsplit_once(' ').expect(line);
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let parts = ["_bucket", "_sum", "_count"].map(|end| name.strip_suffix(end));
            let mut parts = parts.into_iter().flatten();
            let whole = parts.find(|it| kinds.get(it) == Some(&"histogram"));
            let family = whole.unwrap_or(name);
            let metric = self.metrics.entry(name.to_owned()).or_default();
            family.clone_into(&mut metric.family);
            metric.counts_up = kinds[family] != "gauge";
            let series = labels_of(labels);
            metric.labels.extend(series.keys().cloned());
            metric.labels.extend(OF_THE_TARGET.map(str::to_owned));
            metric.series.push(series);
        }
        assert!(kinds.len() > 2, "no metrics: {text}");
    }

    /// A metric with these labels, none of its series being known.
    pub(super) fn add_labels<'a>(&mut self, name: &str, labels: impl IntoIterator<Item = &'a str>) {
        let metric = self.metrics.entry(name.to_owned()).or_default();
        name.clone_into(&mut metric.family);
        metric.labels.extend(labels.into_iter().map(str::to_owned));
    }

    /// What Prometheus itself records of alerts.
    pub(super) fn add_alerts(&mut self) {
        self.add_labels("ALERTS", ["alertname", "alertstate", "severity"]);
    }

    pub(super) fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.get(name)
    }
}

impl Metric {
    /// Whether there is, or can be, a series that all of them match.
    pub(super) fn has_series(&self, matchers: &[Matcher]) -> bool {
        let is_matched = |series: &Series| {
            let value = |name: &str| series.get(name).map_or("", String::as_str);
            matchers.iter().all(|matcher| {
                let name = matcher.name.as_str();
                OF_THE_TARGET.contains(&name) || matcher.is_match(value(name))
            })
        };
        self.series.is_empty() || self.series.iter().any(is_matched)
    }
}

/// Of `a="b",c="d"}`. No value of ours holds a quotation mark.
fn labels_of(text: &str) -> Series {
    let text = text.strip_suffix('}').expect(text);
    let pairs = text.split("\",").filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (label, value) = pair.split_once("=\"").expect(pair);
            (label.to_owned(), value.trim_end_matches('"').to_owned())
        })
        .collect()
}
