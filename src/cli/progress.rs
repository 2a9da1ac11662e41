//! How far a long command has come, on standard error: a bar where somebody is watching, and a line
//! every few seconds where nobody is.

use std::fmt;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::screen::Screen;
use crate::clock::Stopwatch;

/// How often a line is written where there is no terminal. A command that is done sooner writes none.
const LINE_EVERY: Duration = Duration::from_secs(5);

const BAR: &str = "{msg} [{bar:30}] {pos}/{len} {prefix}, {rate}, {eta} left";
/// Where nobody knows how much there is to do.
const NO_BAR: &str = "{msg} ... {pos} {prefix}, {rate}";

/// Shows how many runs, or what else, are done.
pub(super) struct Progress<'a> {
    screen: &'a mut Screen,
    bar: Option<ProgressBar>,
    what: &'static str,
    /// What is counted.
    things: &'static str,
    done: u64,
    /// How many were done when the step was first heard of; nobody knows how long these took.
    begun_at: u64,
    total: u64,
    whole: Stopwatch,
    step: Stopwatch,
    idle: Stopwatch,
}

impl<'a> Progress<'a> {
    /// Begins at zero of about `total` runs.
    pub(super) fn new(screen: &'a mut Screen, what: &'static str, total: u64) -> Self {
        let things = "runs";
        let bar = screen.is_watched().then(|| new_bar(what, total, things));
        Self {
            screen,
            bar,
            what,
            things,
            done: 0,
            begun_at: 0,
            total,
            whole: Stopwatch::start(),
            step: Stopwatch::start(),
            idle: Stopwatch::start(),
        }
    }

    /// Counts other things than runs.
    pub(super) fn of(mut self, things: &'static str) -> Self {
        self.things = things;
        if let Some(bar) = &self.bar {
            bar.set_prefix(things);
        }
        self
    }

    /// Has something written while a bar is shown.
    pub(super) fn beside<T>(&mut self, write: impl FnOnce(&mut Screen) -> T) -> T {
        let screen = &mut *self.screen;
        match &self.bar {
            Some(bar) => bar.suspend(|| write(screen)),
            None => write(screen),
        }
    }

    /// So many more are done.
    pub(super) fn advance(&mut self, runs: usize) {
        let done = self.done.saturating_add(runs as u64);
        self.show(self.what, done, self.total);
    }

    /// So many runs of a step are done. A step with another name begins anew.
    pub(super) fn show(&mut self, what: &'static str, done: u64, total: u64) {
        if what != self.what {
            self.what = what;
            self.step = Stopwatch::start();
            self.begun_at = done;
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
                let bar = new_bar(what, total, self.things).with_position(done);
                bar.reset_eta();
                self.bar = Some(bar);
            }
        }
        self.done = done;
        // Runs fall due while we work, so the total is an estimate.
        self.total = if total == 0 { 0 } else { total.max(done) };
        if let Some(bar) = &self.bar {
            bar.set_length(self.total);
            bar.set_position(self.done);
        } else if self.idle.elapsed() >= LINE_EVERY {
            self.idle = Stopwatch::start();
            let rate = per_second(self.done.saturating_sub(self.begun_at), self.step.elapsed());
            let line = line(self.what, self.things, (self.done, self.total), rate);
            self.screen.note(&line);
        }
    }

    /// How long it has taken so far, in milliseconds.
    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.whole.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn new_bar(what: &'static str, total: u64, things: &'static str) -> ProgressBar {
    let template = if total == 0 { NO_BAR } else { BAR };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total)
        .with_style(style.progress_chars("=> ").with_key("rate", write_rate))
        .with_message(what)
        .with_prefix(things)
}

fn write_rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    // There is nobody to tell that a bar could not be drawn.
    let _ = write!(text, "{:.0}/s", state.per_sec());
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(what: &str, things: &str, (done, total): (u64, u64), rate: u64) -> String {
    if total == 0 && done == 0 {
        return what.to_owned();
    }
    if total == 0 {
        return format!("{what}: {done} {things}, {rate} per second");
    }
    let far = format!("{what}: {done} of {total} {things}");
    match total.saturating_sub(done).checked_div(rate) {
        Some(seconds) => format!("{far}, {rate} per second, about {seconds} s left"),
        None => far, // too early to tell
    }
}

/// Whole runs per second.
pub(super) fn per_second(runs: u64, elapsed: Duration) -> u64 {
    let rate = u128::from(runs) * 1_000 / elapsed.as_millis().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_rate_and_what_is_left() {
        assert_eq!(
            line("sweeping", "runs", (5_000, 20_000), 500),
            "sweeping: 5000 of 20000 runs, 500 per second, about 30 s left"
        );
        assert_eq!(line("sweeping", "runs", (0, 0), 0), "sweeping");
        assert_eq!(line("sweeping", "runs", (0, 7), 0), "sweeping: 0 of 7 runs");
        assert_eq!(
            line("checking", "verdicts", (9, 0), 3),
            "checking: 9 verdicts, 3 per second"
        );
    }
}
