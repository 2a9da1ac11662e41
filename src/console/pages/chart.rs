//! The chart of verdicts over time: stacked bars, in numbers without a unit.

use std::fmt::Write as _;

use super::words;
use crate::views::mix::{Mix, Period};

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
    pub(super) fn of(mix: &Mix) -> Self {
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
        }
    }
}

fn title(mix: &Mix) -> String {
    let mut text = format!("Verdicts per {}:", mix.period());
    for (outcome, count) in mix.totals() {
        // Writing to a text cannot fail.
        write!(text, " {count} {},", words::outcome_label(&outcome)).ok();
    }
    text.pop();
    text
}
