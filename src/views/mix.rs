//! Verdicts over time: how many of each outcome, by the period in which their runs were created.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::Serialize;

use super::Moment;
use super::moment::in_words;
use crate::storage::reader::RecentVerdict;

/// How many of the latest verdicts of a workspace are read.
pub const VERDICTS_MAX: u32 = 200;

/// How many reasons are told.
const REASONS_MAX: usize = 5;

vocabulary! {
    /// How far back verdicts are counted.
    #[derive(Default, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[schemars(rename = "ChartWindow")]
    pub enum Window {
        /// The word for it, in addresses.
        word: &'static str,
        /// How long a period is, in seconds.
        period: i64,
        /// How many periods there are.
        periods: i64,
    }
    /// A day, hour by hour.
    Day { word: "1d", period: 3_600, periods: 24 }
    /// A week, in parts of six hours.
    Week { word: "7d", period: 21_600, periods: 28 }
    /// Thirty days, day by day.
    #[default]
    Month { word: "30d", period: 86_400, periods: 30 }
}

impl Window {
    /// How long it is, for people.
    pub fn label(self) -> String {
        in_words(SignedDuration::from_secs(self.period() * self.periods()))
    }
}

/// The latest verdicts of a workspace, at most [`VERDICTS_MAX`], within a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mix {
    /// How many verdicts were counted.
    pub verdicts: u64,
    /// How many more their runs contradict by now; they are in no period.
    pub contradicted: u64,
    /// How far back.
    pub window: Window,
    /// How long each period is, in seconds.
    pub period_seconds: i64,
    /// Since when all are counted, where there were more in the window than are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_from: Option<Moment>,
    /// Why verdicts were below `succeeded`, the most frequent reason first; at most five.
    pub below: Vec<ReasonBelow>,
    /// The periods, the earliest first, without gaps; the last is not over.
    pub periods: Vec<Period>,
}

/// A reason for which verdicts were below `succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReasonBelow {
    /// The reason.
    pub reason: ReasonCode,
    /// How many of the verdicts that were counted have it.
    pub verdicts: u64,
}

/// One period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Period {
    /// When it begins.
    pub from: Moment,
    /// Verdicts `succeeded`.
    pub succeeded: u64,
    /// Verdicts `partially_succeeded`.
    pub partially_succeeded: u64,
    /// Verdicts `blocked`.
    pub blocked: u64,
    /// Verdicts `failed`.
    pub failed: u64,
}

impl Period {
    fn empty(from: Timestamp) -> Self {
        Self {
            from: Moment(from),
            succeeded: 0,
            partially_succeeded: 0,
            blocked: 0,
            failed: 0,
        }
    }

    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Succeeded => &mut self.succeeded,
            Outcome::PartiallySucceeded => &mut self.partially_succeeded,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Failed => &mut self.failed,
        } += 1;
    }

    /// Each outcome with its count, best first.
    pub fn counts(&self) -> [(Outcome, u64); 4] {
        [
            (Outcome::Succeeded, self.succeeded),
            (Outcome::PartiallySucceeded, self.partially_succeeded),
            (Outcome::Blocked, self.blocked),
            (Outcome::Failed, self.failed),
        ]
    }

    /// All verdicts of the period.
    pub fn total(&self) -> u64 {
        self.counts().iter().map(|(_, count)| count).sum()
    }
}

impl Mix {
    /// From the latest verdicts, in any order, as the clock stands.
    pub fn new<'v>(
        verdicts: impl IntoIterator<Item = &'v RecentVerdict>,
        window: Window,
        as_of: Timestamp,
    ) -> Self {
        let index = |at: Timestamp| at.as_second().div_euclid(window.period());
        let first = index(as_of) - window.periods() + 1;
        let begin = |index: i64| Timestamp::from_second(index * window.period());
        let mut periods: Vec<Period> = (first..=index(as_of))
            .filter_map(|index| Some(Period::empty(begin(index).ok()?)))
            .collect();
        let mut below: BTreeMap<ReasonCode, u64> = BTreeMap::new();
        // A run that was created since the earliest of these decisions was decided since then: it is among them.
        let (mut read, mut oldest, mut counted, mut contradicted) = (0, as_of, 0, 0);
        for verdict in verdicts {
            read += 1;
            oldest = oldest.min(verdict.decided_at);
            let place = usize::try_from(index(verdict.created_at) - first).ok();
            if let Some(period) = place.and_then(|place| periods.get_mut(place)) {
                if verdict.stands {
                    period.add(verdict.outcome);
                    counted += 1;
                    let is_below = verdict.outcome != Outcome::Succeeded;
                    if let Some(reason) = verdict.reason.filter(|_| is_below) {
                        *below.entry(reason).or_default() += 1;
                    }
                } else {
                    contradicted += 1;
                }
            }
        }
        let below = below
            .into_iter()
            .map(|(reason, verdicts)| ReasonBelow { reason, verdicts });
        let mut below: Vec<ReasonBelow> = below.collect();
        below.sort_by_key(|it| Reverse(it.verdicts));
        below.truncate(REASONS_MAX);
        let is_cut = read >= VERDICTS_MAX && index(oldest) >= first;
        Self {
            verdicts: counted,
            contradicted,
            window,
            period_seconds: window.period(),
            counted_from: is_cut.then_some(Moment(oldest)),
            below,
            periods,
        }
    }

    /// How long a period is, for people.
    pub fn period(&self) -> String {
        in_words(SignedDuration::from_secs(self.period_seconds))
    }

    /// How many of each outcome there are in all periods.
    pub fn totals(&self) -> [(Outcome, u64); 4] {
        let mut totals = Outcome::ALL.map(|outcome| (outcome, 0));
        for (outcome, total) in &mut totals {
            let of_period = |period: &Period| {
                let counts = period.counts();
                let found = counts.iter().find(|(other, _)| other == outcome);
                found.map_or(0, |(_, count)| *count)
            };
            *total = self.periods.iter().map(of_period).sum();
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use reconciler_jobs::ids::WorkspaceId;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Decided as soon as its run was created.
    fn verdict(created_at: Timestamp, outcome: Outcome) -> RecentVerdict {
        RecentVerdict {
            workspace: WorkspaceId(1),
            environment: None,
            created_at,
            decided_at: created_at,
            outcome,
            reason: None,
            stands: true,
        }
    }

    /// A tie is in the order of the registry.
    #[test]
    fn the_most_frequent_reasons_below_success_come_first() {
        let now = at("2026-11-21T11:30:00Z");
        let of = |count: usize, outcome, reason| {
            let verdict = RecentVerdict {
                reason: Some(reason),
                ..verdict(now, outcome)
            };
            vec![verdict; count]
        };
        let mut verdicts = of(9, Outcome::Succeeded, ReasonCode::ProofComplete);
        verdicts.extend(of(1, Outcome::Failed, ReasonCode::ExecutionFailed));
        verdicts.extend(of(3, Outcome::PartiallySucceeded, ReasonCode::ItemsMixed));
        verdicts.extend(of(
            3,
            Outcome::PartiallySucceeded,
            ReasonCode::EvidenceMissing,
        ));
        let mut other = of(5, Outcome::Failed, ReasonCode::ExecutionFailed);
        for verdict in &mut other {
            verdict.stands = false;
        }
        verdicts.extend(other);
        let told = Mix::new(&verdicts, Window::Day, now).below;
        let mut expected = [ReasonCode::ItemsMixed, ReasonCode::EvidenceMissing];
        expected.sort();
        let told: Vec<_> = told.iter().map(|it| (it.reason, it.verdicts)).collect();
        let last = (ReasonCode::ExecutionFailed, 1);
        assert_eq!(told, [(expected[0], 3), (expected[1], 3), last]);
    }

    #[test]
    fn each_window_has_its_periods_up_to_now_and_counts_nothing_beside_them() {
        let mut verdicts = vec![
            verdict(at("2026-11-21T10:59:00Z"), Outcome::Failed),
            verdict(at("2026-11-21T08:00:00Z"), Outcome::Succeeded),
            verdict(at("2026-11-01T08:00:00Z"), Outcome::Succeeded),
            verdict(at("2026-10-01T08:00:00Z"), Outcome::Blocked),
            verdict(Timestamp::MIN, Outcome::Blocked),
            verdict(Timestamp::MAX, Outcome::Blocked),
        ];
        // Its run says something else by now.
        verdicts.push(RecentVerdict {
            stands: false,
            ..verdicts[1]
        });
        let now = at("2026-11-21T11:30:00Z");
        for (window, periods, first, counted) in [
            (Window::Day, 24, "2026-11-20T12:00:00Z", 2),
            (Window::Week, 28, "2026-11-14T12:00:00Z", 2),
            (Window::Month, 30, "2026-10-23T00:00:00Z", 3),
        ] {
            let mix = Mix::new(&verdicts, window, now);
            assert_eq!((mix.periods.len(), mix.verdicts), (periods, counted));
            assert_eq!(
                (mix.periods[0].from, mix.contradicted),
                (Moment(at(first)), 1)
            );
            let totals: u64 = mix.totals().iter().map(|(_, count)| count).sum();
            assert_eq!((totals, mix.counted_from), (counted, None));
        }
        let hours = Mix::new(&verdicts, Window::Day, now).periods;
        let totals: Vec<_> = hours.iter().map(Period::total).collect();
        assert_eq!(totals[20..], [1, 0, 1, 0]);
    }

    /// Those that are read are the latest decisions, and other runs may have been created since the earliest of theirs.
    #[test]
    fn since_when_all_are_counted_is_told_where_more_were_there() {
        let now = at("2026-11-21T11:30:00Z");
        let ago = |minutes: i64| now - SignedDuration::from_mins(minutes);
        let mut many: Vec<_> = (0..200)
            .map(|minutes| verdict(ago(minutes), Outcome::Failed))
            .collect();
        // It waited for a long time.
        many[7].created_at = ago(60 * 20);
        let cut = Mix::new(&many, Window::Day, now);
        assert_eq!(cut.counted_from, Some(Moment(ago(199))));
        let all = Mix::new(&many[1..], Window::Day, now);
        assert_eq!(all.counted_from, None);
    }
}
