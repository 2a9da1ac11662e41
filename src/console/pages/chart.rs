//! The chart of verdicts over time: stacked bars, in numbers without a unit.

use std::fmt::Write as _;
use std::slice;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::restore_execute::Outcome;
use reconciler_jobs::restore_execute::facts::RunOutcome;

use super::words;
use crate::console::query::RunQuery;
use crate::views::mix::{Mix, Period, Window};

/// Height of the chart; widths follow from the number of bars.
const HEIGHT: u64 = 60;

/// Width of a bar with the space beside it.
const STEP: u64 = 10;

/// Width of a bar.
const BAR: u64 = 8;

/// A chart that is ready to be drawn.
pub(super) struct Chart {
    pub(super) width: u64,
    pub(super) height: u64,
    /// What it shows, for whoever cannot see it.
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
    /// The count at the top of the axis.
    pub(super) top: u64,
    /// When the first, the middle and the last bar begin.
    pub(super) dates: Vec<String>,
    /// Every period, the earliest first; those without verdicts lead nowhere.
    pub(super) lines: Vec<Line>,
    /// Each outcome, how many there are of it, and the runs that say it.
    pub(super) legend: [(Outcome, u64, String); 4],
    /// Why verdicts were below success, the most frequent first.
    pub(super) below: Vec<Below>,
}

/// A reason below success.
pub(super) struct Below {
    pub(super) sentence: &'static str,
    pub(super) count: String,
    /// How long its bar is, of 100.
    pub(super) share: u64,
    /// The runs that have it.
    pub(super) href: String,
}

/// A column in numbers.
pub(super) struct Line {
    /// When it begins.
    pub(super) from: String,
    /// The runs that were created then; none where there are no verdicts.
    pub(super) href: Option<String>,
    /// How many of each outcome, best first.
    pub(super) counts: [String; 4],
}

impl Line {
    /// What its column shows, for whoever cannot see it.
    pub(super) fn said(&self) -> String {
        let [succeeded, partly, blocked, failed] = &self.counts;
        format!(
            "From {}: {succeeded} succeeded, {partly} partly, {blocked} blocked, {failed} failed",
            self.from
        )
    }
}

/// A part of a bar.
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) width: u64,
    pub(super) height: u64,
}

impl Chart {
    /// The chart of a workspace's verdicts, its dates in the zone of pages.
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "a template hands over references"
    )]
    pub(super) fn of(mix: &Mix, workspace: &WorkspaceId, zone: &TimeZone) -> Self {
        let tallest = mix.periods.iter().map(Period::total).max().unwrap_or(0);
        // A count that is not zero is never drawn as nothing.
        let scaled = |count: u64| match count {
            0 => 0,
            count => (count * HEIGHT / tallest.max(1)).max(1),
        };
        let mut bars = Vec::new();
        for (index, period) in (0..).zip(&mix.periods) {
            let mut top = HEIGHT;
            // The worst first: what no room is left for is what nobody has to worry about.
            for (outcome, count) in period.counts().into_iter().rev() {
                let height = scaled(count).min(top);
                top -= height;
                if height > 0 {
                    bars.push(Bar {
                        class: outcome.name(),
                        x: index * STEP,
                        y: top,
                        width: BAR,
                        height,
                    });
                }
            }
        }
        Self {
            width: (mix.periods.len() as u64 * STEP).max(STEP),
            height: HEIGHT,
            title: title(mix),
            bars,
            top: tallest,
            dates: dates(mix, zone),
            lines: lines(mix, *workspace, zone),
            below: below(mix, *workspace),
            legend: mix.totals().map(|(outcome, count)| {
                let query = RunQuery {
                    outcome: RunOutcome::parse(outcome.name()).into(),
                    ..created(mix, *workspace, &mix.periods)
                };
                (outcome, count, format!("/runs?{}", query.text(None)))
            }),
        }
    }
}

/// When a period begins, as short as its window allows.
fn beginning(period: &Period, window: Window, zone: &TimeZone) -> String {
    let format = match window {
        Window::Day => "%H:%M",
        Window::Week => "%-d %b %H:%M",
        Window::Month => "%-d %b",
    };
    let zoned = period.from.0.to_zoned(zone.clone());
    zoned.strftime(format).to_string()
}

fn dates(mix: &Mix, zone: &TimeZone) -> Vec<String> {
    let periods = &mix.periods;
    let shown = [
        periods.first(),
        periods.get(periods.len() / 2),
        periods.last(),
    ];
    let shown = shown.into_iter().flatten();
    shown.map(|it| beginning(it, mix.window, zone)).collect()
}

/// The runs that were created in these periods, as far as they are counted.
fn created(mix: &Mix, workspace: WorkspaceId, periods: &[Period]) -> RunQuery {
    let begin = periods
        .first()
        .map(|it| it.from.max(mix.counted_from.unwrap_or(it.from)));
    let length = SignedDuration::from_secs(mix.period_seconds);
    RunQuery {
        workspace: Some(workspace),
        created_from: begin.map(|it| it.0),
        created_before: periods
            .last()
            .and_then(|it| it.from.0.checked_add(length).ok()),
        ..RunQuery::default()
    }
}

fn below(mix: &Mix, workspace: WorkspaceId) -> Vec<Below> {
    let most = mix.below.first().map_or(1, |it| it.verdicts.max(1));
    let shown = mix.below.iter().map(|it| {
        let query = RunQuery {
            reason: Some(it.reason),
            ..created(mix, workspace, &mix.periods)
        };
        Below {
            sentence: it.reason.sentence(),
            count: words::grouped(it.verdicts),
            share: (it.verdicts * 100 / most).max(1),
            href: format!("/runs?{}", query.text(None)),
        }
    });
    shown.collect()
}

fn lines(mix: &Mix, workspace: WorkspaceId, zone: &TimeZone) -> Vec<Line> {
    let line = |period: &Period| Line {
        from: beginning(period, mix.window, zone),
        href: (period.total() > 0).then(|| {
            let query = created(mix, workspace, slice::from_ref(period));
            format!("/runs?{}", query.text(None))
        }),
        counts: period.counts().map(|(_, count)| words::grouped(count)),
    };
    mix.periods.iter().map(line).collect()
}

fn title(mix: &Mix) -> String {
    let mut text = format!(
        "Verdicts on runs of the last {}, one bar per {}:",
        mix.window.label(),
        mix.period()
    );
    for (outcome, count) in mix.totals() {
        // Writing to a text cannot fail.
        write!(text, " {count} {},", words::outcome_label(&outcome)).ok();
    }
    text.pop();
    text
}
