//! What is found of everything that a question covers, page or no page: how many environments are in which
//! posture, and what needs somebody first.
//!
//! **Invariant:** what was left out is counted, or said to be unknown.

use std::cmp::Reverse;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, WorkspaceId};
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::backup_health::BackupHealth;
use reconciler_jobs::reading::posture::Posture;
use schemars::JsonSchema;
use serde::Serialize;

use super::environment::{BackupShown, Judging, PostureShown, UndecidedShown};
use super::{Named, gone};
use crate::postures::Postures;
use crate::storage::reader::{EnvironmentSeen, OrphanedRuns, Walked};

/// How many lines are listed of what needs somebody.
const LISTED_MAX: usize = 100;

/// How many of the most urgent are shown at once.
const MOST_URGENT: usize = 10;

/// What needs somebody, in the order in which it is listed where it is as urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "NeedSubject")]
pub enum NeedSubject {
    /// Runs that somebody else closed as successes.
    UnprovenSuccesses,
    /// A restore history.
    RecoveryPosture,
    /// Operations that nobody has closed.
    UndecidedRuns,
    /// Operations that nobody has closed, of environments that were deleted or moved.
    OrphanedRuns,
    /// Backup inputs.
    BackupHealth,
}

/// Something that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AttentionLine {
    /// How urgent it looks.
    pub tone: Tone,
    /// What needs somebody.
    pub subject: NeedSubject,
    /// Which workspace.
    pub workspace: Named<WorkspaceId>,
    /// Which environment.
    pub environment: Named<EnvironmentId>,
    /// What was found.
    pub summary: &'static str,
    /// What to do next.
    pub next_action: &'static str,
    /// The page that leads on.
    pub href: String,
}

/// What needs somebody, of all environments that were gone through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Needs {
    /// The most urgent, the most urgent first; at most 100.
    pub listed: Vec<AttentionLine>,
    /// How many there are beside those.
    pub unlisted: u64,
}

impl Needs {
    /// The most urgent of them.
    pub fn most_urgent(&self) -> &[AttentionLine] {
        self.split().0
    }

    /// What is listed beside that.
    pub fn less_urgent(&self) -> &[AttentionLine] {
        self.split().1
    }

    /// How many there are beside the most urgent ones, listed or not.
    pub fn further(&self) -> u64 {
        self.less_urgent().len() as u64 + self.unlisted
    }

    fn split(&self) -> (&[AttentionLine], &[AttentionLine]) {
        self.listed.split_at(self.listed.len().min(MOST_URGENT))
    }

    /// Leaves what is listed, and as much beside it.
    fn add(&mut self, line: AttentionLine) {
        self.listed.push(line);
        if self.listed.len() >= 2 * LISTED_MAX {
            self.cut();
        }
    }

    /// Keeps the most urgent lines; of equally urgent ones, those that were found first.
    fn cut(&mut self) {
        self.listed
            .sort_by_key(|line| (Reverse(line.tone.urgency()), line.subject));
        let left_out = self.listed.len().saturating_sub(LISTED_MAX);
        self.unlisted += left_out as u64;
        self.listed.truncate(LISTED_MAX);
    }
}

/// What is found on a walk through environments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// When, by the database's clock.
    pub as_of: Timestamp,
    /// How many are in which posture.
    pub postures: Postures,
    /// What needs somebody.
    pub needs: Needs,
}

impl Survey {
    /// Judges environments, and keeps nothing of them but what was found.
    pub fn add(&mut self, passed: &[EnvironmentSeen], as_of: Timestamp, judging: Judging<'_>) {
        for environment in passed {
            let posture = PostureShown::new(environment.latest.as_ref(), as_of, judging);
            self.postures.add(environment.workspace, posture.state);
            for line in lines(environment, &posture, as_of, judging) {
                self.needs.add(line);
            }
        }
    }

    /// Adds open runs of environments that no walk passes, because they were deleted or moved.
    pub fn add_orphaned(&mut self, found: Vec<OrphanedRuns>) {
        let in_all = found.first().map_or(0, |first| first.environments);
        self.needs.unlisted += in_all.saturating_sub(found.len() as u64);
        for orphaned in found {
            self.needs.add(AttentionLine {
                tone: Tone::Warning,
                subject: NeedSubject::OrphanedRuns,
                environment: Named {
                    id: orphaned.environment,
                    name: gone(orphaned.environment),
                },
                workspace: Named {
                    id: orphaned.workspace,
                    name: orphaned.workspace_name,
                },
                summary: "Operations are open of an environment that was deleted, or moved to another workspace.",
                next_action: "Open them, and find out what the platform still does there.",
                href: format!("/runs?workspace={}&orphaned=true", orphaned.workspace),
            });
        }
    }

    /// What was found once the walk has come to its end.
    #[must_use]
    pub fn ended(mut self, walked: Walked) -> Self {
        self.needs.cut();
        self.as_of = walked.as_of;
        self.postures = self.postures.ended(walked);
        self
    }
}

/// What needs somebody in an environment.
fn lines(
    passed: &EnvironmentSeen,
    posture: &PostureShown,
    as_of: Timestamp,
    judging: Judging<'_>,
) -> impl Iterator<Item = AttentionLine> {
    let line = |subject, tone, summary, next_action, href| AttentionLine {
        tone,
        subject,
        workspace: Named {
            id: passed.workspace,
            name: passed.workspace_name.clone(),
        },
        environment: Named {
            id: passed.environment,
            name: passed.name.clone(),
        },
        summary,
        next_action,
        href,
    };
    let list = format!("/runs?environment={}", passed.environment);
    let unproven = (passed.unproven.runs > 0).then(|| {
        line(
            NeedSubject::UnprovenSuccesses,
            Tone::Danger,
            "Runs say that they succeeded, and that is not proven.",
            "Compare what they say with the proof.",
            format!("{list}&unproven=true"),
        )
    });
    let weakened = (posture.state == Posture::Weakened).then(|| {
        line(
            NeedSubject::RecoveryPosture,
            posture.tone,
            posture.summary,
            posture.next_action,
            posture.href().unwrap_or_else(|| list.clone()),
        )
    });
    let undecided = UndecidedShown::new(passed.open, as_of, judging.freshness);
    let overdue = undecided.is_overdue.then(|| {
        line(
            NeedSubject::UndecidedRuns,
            Tone::Warning,
            "Operations have been open for longer than expected.",
            "Open the first undecided run.",
            undecided.first.map_or_else(
                || format!("{list}&undecided=true"),
                |run| format!("/runs/{run}"),
            ),
        )
    });
    let backup = BackupShown::new(passed.backup.as_ref(), as_of, judging.backup);
    let inputs = (backup.state != BackupHealth::Healthy).then(|| {
        line(
            NeedSubject::BackupHealth,
            backup.tone,
            backup.summary,
            backup.next_action,
            card_of(passed.workspace, passed.environment),
        )
    });
    [unproven, weakened, overdue, inputs].into_iter().flatten()
}

/// Where an environment stands first on the page of its workspace.
fn card_of(workspace: WorkspaceId, environment: EnvironmentId) -> String {
    // Nothing stands before the lowest id there can be, and no page is after none.
    let before = environment.0.saturating_sub(1);
    let after = if before > 0 {
        format!("&after={workspace}.{before}")
    } else {
        String::new()
    };
    format!("/?workspace={workspace}{after}#environment-{environment}")
}
