//! Metrics as a process exports them, in the text format of Prometheus.

use std::collections::BTreeMap;

use super::worker::Worker;

/// What one process exported at one moment: the value of each series, by its name and labels, as they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exposition(BTreeMap<String, String>);

impl Exposition {
    pub(crate) async fn of(worker: &Worker) -> Self {
        let (status, text) = worker.probe("/metrics").await;
        assert_eq!(status, 200, "{text}");
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let series = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.to_owned())
        });
        Self(series.collect())
    }

    /// The value of one series, which must be there and count something.
    pub(crate) fn count(&self, series: &str) -> i64 {
        let found = self.0.get(series);
        let found =
            found.unwrap_or_else(|| panic!("{series} is not exported: {:#?}", self.0.keys()));
        found
            .parse()
            .unwrap_or_else(|_| panic!("{series} {found} is no count"))
    }

    /// Whether a series, which must be there, is zero.
    pub(crate) fn is_zero(&self, series: &str) -> bool {
        self.0.get(series).is_some_and(|value| value == "0")
    }

    /// Whether a series is there, and not zero.
    pub(crate) fn is_above_zero(&self, series: &str) -> bool {
        self.0.get(series).is_some_and(|value| value != "0")
    }

    /// Every series of a metric that is not zero: what stands between its braces, and its count.
    pub(crate) fn counts(&self, metric: &str) -> BTreeMap<String, i64> {
        let labels = |series: &str| {
            let rest = series.strip_prefix(metric)?.strip_prefix('{')?;
            Some(rest.strip_suffix('}')?.to_owned())
        };
        let all = self.0.keys();
        all.filter_map(|series| Some((labels(series)?, self.count(series))))
            .filter(|(_, count)| *count != 0)
            .collect()
    }
}
