//! Whether the product works, at a glance: the line on every page.
//!
//! **Invariant:** it is calm only where a worker was heard of just now. What could not be read is said to be unknown.

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::quantity;
use reconciler_jobs::reading::attention::Tone;
use schemars::JsonSchema;
use serde::Serialize;

use super::Moment;
use crate::storage::reader::{OPEN_COUNTED_MAX, StatusFacts, WorkerSeen};
use crate::storage::{Judge, QueueState, next_sweep};

/// How long a worker may be silent and still count as running. It shows itself every half second; with what a console
/// keeps for five seconds, every page says within fifteen that the last one has gone.
pub const SILENT_MAX: SignedDuration = SignedDuration::from_secs(8);

/// How far off the next sweep may be for the line to say when it begins.
const NEXT_SHOWN_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Whether the product works, within what a viewer may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServiceStatus {
    /// The database's clock when it was read, at most a few seconds ago.
    pub as_of: Moment,
    /// How urgent the worst of it is.
    pub tone: Tone,
    /// In two or three words.
    pub headline: &'static str,
    /// Processes that were heard of just now, whatever number of queues each serves; none where that is not known.
    pub workers: Option<u64>,
    /// When one was heard of last, in the last week.
    pub worker_seen_at: Option<Moment>,
    /// When the latest sweep over all workspaces was complete; none where there was none, or that is not known.
    pub swept_at: Option<Moment>,
    /// When the next sweep begins by the schedule of a worker that runs; none where none says so.
    pub next_sweep_at: Option<Moment>,
    /// Jobs that wait for a worker.
    pub waiting: u64,
    /// Runs to which the database refuses a verdict.
    pub refused: u64,
    /// Dead letters: runs that no worker tries again, and that nobody has given up.
    pub dead_letters: u64,
    /// Open runs.
    pub open_runs: u64,
    /// Whether there are more open runs than that.
    pub open_runs_is_least: bool,
    /// Since when everything is paused; none where it is not.
    pub paused_at: Option<Moment>,
    /// The latest verdicts that were compared with their runs.
    pub verdicts_compared: u64,
    /// Of the verdicts that were compared, those whose runs say another outcome, or are open again.
    pub verdicts_contradicted: u64,
}

/// A part of the line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusPart {
    /// What it says.
    pub text: String,
    /// Whether it is why the line is not calm.
    pub is_trouble: bool,
    /// The page that shows more.
    pub href: Option<&'static str>,
}

/// The process that a worker belongs to.
pub fn process_of(worker: &WorkerSeen) -> &str {
    worker.name.split('/').next().unwrap_or_default()
}

/// The processes of workers, and when each was heard of last. Each queue that a process serves has a row of its own, and so
/// has each time it began anew; their names begin with the process's.
pub fn processes(workers: &[WorkerSeen]) -> Vec<(&str, Timestamp)> {
    let mut found: Vec<(&str, Timestamp)> = Vec::new();
    for worker in workers {
        let process = process_of(worker);
        match found.iter_mut().find(|(known, _)| *known == process) {
            Some((_, seen)) => *seen = worker.last_seen_at.max(*seen),
            None => found.push((process, worker.last_seen_at)),
        }
    }
    found
}

impl ServiceStatus {
    /// From what was read, by a clock that goes on where a standby's commits do not.
    pub fn new(found: &StatusFacts, judges: &[Judge], as_of: Timestamp) -> Self {
        let processes = processes(&found.workers);
        let is_running = |(_, seen): &&(&str, Timestamp)| as_of.duration_since(*seen) < SILENT_MAX;
        let count = |state| {
            let counts = found.queue.counts.iter();
            counts
                .filter(|it| it.state == state)
                .map(|it| it.entries)
                .sum()
        };
        let counts = found.counts;
        let paused = found.queue.pauses.iter().find(|it| it.workspace.is_none());
        let open_max = u64::from(OPEN_COUNTED_MAX);
        let mut status = Self {
            as_of: Moment(as_of),
            tone: Tone::Neutral,
            headline: "Working",
            workers: Some(processes.iter().filter(is_running).count() as u64),
            worker_seen_at: processes.iter().map(|(_, seen)| Moment(*seen)).max(),
            swept_at: found.swept_at.map(Moment),
            next_sweep_at: next_sweep(judges).map(Moment),
            waiting: count(QueueState::Waiting),
            refused: count(QueueState::Refused),
            dead_letters: count(QueueState::DeadLetter),
            open_runs: counts.open_runs.min(open_max),
            open_runs_is_least: counts.open_runs > open_max,
            paused_at: paused.map(|it| Moment(it.since)),
            verdicts_compared: counts.compared,
            verdicts_contradicted: counts.contradicted,
        };
        if status.workers == Some(0) {
            (status.tone, status.headline) = (Tone::Danger, "No worker is running");
        } else if counts.contradicted > 0 {
            (status.tone, status.headline) = (Tone::Danger, "Verdicts are contradicted");
        } else if paused.is_some() {
            (status.tone, status.headline) = (Tone::Warning, "Everything is paused");
        } else if status.refused + status.dead_letters > 0 {
            (status.tone, status.headline) = (Tone::Warning, "Working, but not on all runs");
        }
        status
    }

    /// Where it could not be read.
    pub fn unknown(as_of: Timestamp) -> Self {
        let found = StatusFacts::default();
        Self {
            tone: Tone::Danger,
            headline: "It is not known whether a worker is running",
            workers: None,
            ..Self::new(&found, &[], as_of)
        }
    }

    /// The line, part by part.
    pub fn parts(&self) -> Vec<StatusPart> {
        let part = |text: String, href| StatusPart {
            text,
            href,
            ..StatusPart::default()
        };
        let trouble = |text: String, href| StatusPart {
            is_trouble: true,
            ..part(text, href)
        };
        let Some(workers) = self.workers else {
            let text = "the database could not be read in time";
            return vec![trouble(text.to_owned(), None)];
        };
        let to_workers = Some("/queue#workers");
        let seen = self.worker_seen_at.map(|at| at.age(&self.as_of));
        let mut parts = Vec::new();
        if workers == 0 {
            parts.push(match seen {
                Some(seen) => part(format!("last seen {seen}"), to_workers),
                None => trouble("none was seen in the last week".to_owned(), to_workers),
            });
            let more = if self.open_runs_is_least {
                "more than "
            } else {
                ""
            };
            let are = if self.open_runs == 1 { "is" } else { "are" };
            let open = quantity(self.open_runs, "open run");
            let text = format!("{more}{open} {are} not looked at");
            parts.push(trouble(text, Some("/runs?undecided=true")));
        } else {
            parts.push(part(quantity(workers, "worker"), to_workers));
            parts.extend(seen.map(|seen| part(format!("seen {seen}"), None)));
        }
        parts.extend(self.paused_at.map(|at| {
            let text = format!("paused {}", at.age(&self.as_of));
            trouble(text, Some("/queue#depth"))
        }));
        let to_sweeps = Some("/queue#sweeps");
        parts.push(match self.swept_at {
            Some(at) => part(
                format!("last complete sweep {}", at.age(&self.as_of)),
                to_sweeps,
            ),
            None => part("no complete sweep is known".to_owned(), to_sweeps),
        });
        // What a worker said that has gone since is no promise, and a sweep far off says nothing of now.
        let is_near = |at: &Moment| at.0.duration_since(self.as_of.0) < NEXT_SHOWN_MAX;
        let next = self.next_sweep_at.filter(|_| workers > 0).filter(is_near);
        parts.extend(next.map(|at| part(format!("next {}", at.until(&self.as_of)), None)));
        parts.push(part(format!("{} waiting", self.waiting), None));
        for (number, text) in [
            (self.refused, format!("{} refused", self.refused)),
            (
                self.dead_letters,
                quantity(self.dead_letters, "dead letter"),
            ),
        ] {
            parts.push(match number {
                0 => part(text, None),
                _ => trouble(text, Some("/queue#depth")),
            });
        }
        let compared = quantity(self.verdicts_compared, "verdict");
        parts.push(match (self.verdicts_compared, self.verdicts_contradicted) {
            (0, _) => part("ledger empty".to_owned(), None),
            (_, 0) => part(format!("ledger agrees, {compared} compared"), None),
            (_, other) => trouble(
                format!("{other} of {compared} contradicted by the run"),
                None,
            ),
        });
        parts
    }
}
