//! The overview: recovery posture and backup health side by side, and what needs somebody first.
//!
//! **Invariant:** the two are never blended into one score, and neither are the environments of a workspace.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{BackupSetId, EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::Seen;
use reconciler_jobs::reading::attention::{Tone, attention};
use reconciler_jobs::reading::backup_health::{
    self, BackupHealth, BackupReading, BackupSetFacts, Finding, Quality,
};
use reconciler_jobs::reading::freshness::Thresholds;
use reconciler_jobs::reading::posture::{
    EnvironmentPosture, Posture, PostureReason, WorkspacePosture,
};
use reconciler_jobs::restore_execute::facts::At;
use reconciler_jobs::restore_execute::{Outcome, Policy};
use schemars::JsonSchema;
use serde::Serialize;

use super::mix::Mix;
use super::{Moment, Named, Sight};
use crate::storage::reader::{EnvironmentPage, EnvironmentSeen, OpenRuns};

/// Workspaces and their environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Overview {
    /// The database's clock.
    pub as_of: Moment,
    /// What needs somebody, the most urgent first.
    pub needs_attention: Vec<AttentionLine>,
    /// The workspaces.
    pub workspaces: Vec<WorkspaceShown>,
    /// Asks for the environments after these; none at the end.
    pub next: Option<String>,
}

/// What needs somebody, in the order in which it is listed where it is as urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "NeedSubject")]
pub enum Subject {
    /// A restore history.
    RecoveryPosture,
    /// Operations that nobody has closed.
    UndecidedRuns,
    /// Backup inputs.
    BackupHealth,
}

/// Something that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AttentionLine {
    /// How urgent it looks.
    pub tone: Tone,
    /// What needs somebody.
    pub subject: Subject,
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

/// One workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkspaceShown {
    /// The workspace.
    pub workspace: Named<WorkspaceId>,
    /// How many of the environments shown here are in which posture.
    pub postures: WorkspacePosture,
    /// The environments.
    pub environments: Vec<EnvironmentShown>,
    /// The latest verdicts over time.
    pub mix: Mix,
}

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EnvironmentShown {
    /// The environment.
    pub environment: Named<EnvironmentId>,
    /// What its restore history says.
    pub posture: PostureShown,
    /// What its backup inputs say.
    pub backup: BackupShown,
    /// Runs that nobody has closed.
    pub undecided: UndecidedShown,
    /// The restore that is being prepared.
    pub preparing: Option<RestoreId>,
}

/// What a restore history says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PostureShown {
    /// The state.
    pub state: Posture,
    /// For people.
    pub headline: &'static str,
    /// Why it is what it is.
    pub reason: PostureReason,
    /// The same in one sentence.
    pub summary: &'static str,
    /// What to do next.
    pub next_action: &'static str,
    /// What it does not prove.
    pub claim_boundary: &'static str,
    /// How urgent it looks.
    pub tone: Tone,
    /// The restore that decided, and its run.
    pub latest_restore: Option<RestoreId>,
    /// The run of that restore.
    pub latest_run: Option<RunId>,
}

/// What backup inputs say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BackupShown {
    /// The state.
    pub state: BackupHealth,
    /// For people.
    pub label: &'static str,
    /// What decided.
    pub finding: Finding,
    /// The same in one sentence.
    pub summary: &'static str,
    /// What else was found.
    pub further: Vec<&'static str>,
    /// What to do next.
    pub next_action: &'static str,
    /// What it does not prove.
    pub claim_boundary: &'static str,
    /// How urgent it looks.
    pub tone: Tone,
    /// The set that was judged.
    pub set: Option<BackupSetShown>,
}

/// A backup set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BackupSetShown {
    /// The set.
    pub id: BackupSetId,
    /// Its name.
    pub name: String,
    /// When it was completed, where that can be read.
    pub completed_at: Option<Moment>,
    /// What was captured.
    pub quality: Quality,
}

/// Runs that nobody has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UndecidedShown {
    /// How many.
    pub runs: u64,
    /// When the oldest was created, where that can be read.
    pub oldest: Option<Moment>,
    /// The one with the lowest id.
    pub first: Option<RunId>,
    /// Whether the oldest has been open for longer than an operation may be, or nobody knows for how long.
    pub is_overdue: bool,
}

/// How what was read is judged.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// The rules' settings.
    pub policy: &'a Policy,
    /// When an operation is taken for stuck.
    pub freshness: &'a Thresholds,
    /// When backup inputs are too old.
    pub backup: &'a backup_health::Thresholds,
    /// What the viewer may see.
    pub sight: Sight,
}

impl Overview {
    /// From a page of environments and the latest verdicts of their workspaces; `next` is how to ask for more.
    #[must_use]
    pub fn of(
        page: &EnvironmentPage,
        verdicts: &[(WorkspaceId, Timestamp, Outcome)],
        judging: Judging<'_>,
        next: impl Fn((WorkspaceId, EnvironmentId)) -> String,
    ) -> Self {
        let mut workspaces: BTreeMap<WorkspaceId, WorkspaceShown> = BTreeMap::new();
        for row in &page.rows {
            let shown = EnvironmentShown::of(row, page.as_of, judging);
            workspaces
                .entry(row.workspace)
                .or_insert_with(|| WorkspaceShown::empty(row, verdicts))
                .environments
                .push(shown);
        }
        let workspaces: Vec<_> = workspaces
            .into_values()
            .map(WorkspaceShown::counted)
            .collect();
        let mut needs_attention: Vec<_> = workspaces.iter().flat_map(needs).collect();
        needs_attention.sort_by_key(|line| (urgency(line.tone), line.subject));
        Self {
            as_of: Moment(page.as_of),
            needs_attention,
            workspaces,
            next: page.after.map(next),
        }
    }
}

/// How many of the most urgent are shown at once.
const MOST_URGENT: usize = 10;

impl Overview {
    /// The most urgent of what needs somebody.
    #[must_use]
    pub fn most_urgent(&self) -> &[AttentionLine] {
        self.split().0
    }

    /// What needs somebody beside that.
    #[must_use]
    pub fn less_urgent(&self) -> &[AttentionLine] {
        self.split().1
    }

    fn split(&self) -> (&[AttentionLine], &[AttentionLine]) {
        let shown = self.needs_attention.len().min(MOST_URGENT);
        self.needs_attention.split_at(shown)
    }
}

/// The most urgent first.
const fn urgency(tone: Tone) -> u8 {
    match tone {
        Tone::Danger => 0,
        Tone::Warning => 1,
        Tone::Neutral => 2,
        Tone::Calm => 3,
    }
}

impl WorkspaceShown {
    fn empty(row: &EnvironmentSeen, verdicts: &[(WorkspaceId, Timestamp, Outcome)]) -> Self {
        let own = verdicts.iter().filter(|(id, ..)| *id == row.workspace);
        Self {
            workspace: Named {
                id: row.workspace,
                name: row.workspace_name.clone(),
            },
            postures: WorkspacePosture::default(),
            environments: Vec::new(),
            mix: Mix::of(own.map(|(_, at, outcome)| (*at, *outcome))),
        }
    }

    fn counted(mut self) -> Self {
        let states = self.environments.iter().map(|it| it.posture.state);
        self.postures = states.collect();
        self
    }
}

impl EnvironmentShown {
    fn of(row: &EnvironmentSeen, as_of: Timestamp, judging: Judging<'_>) -> Self {
        Self {
            environment: Named {
                id: row.environment,
                name: row.name.clone(),
            },
            posture: PostureShown::of(row, as_of, judging),
            backup: BackupShown::of(row.backup.as_ref(), as_of, judging.backup),
            undecided: UndecidedShown::of(row.open, as_of, judging.freshness),
            preparing: row.preparing,
        }
    }
}

impl PostureShown {
    fn of(row: &EnvironmentSeen, as_of: Timestamp, judging: Judging<'_>) -> Self {
        let history = row.latest.iter().map(|(restore, run, evidence)| {
            let cause = attention(&Seen {
                at: At {
                    as_of,
                    policy: judging.policy,
                },
                restore,
                run: run.as_ref(),
                evidence: judging.sight.evidence.then_some(evidence),
            });
            (restore.id, cause.state())
        });
        let found = EnvironmentPosture::of(history);
        let state = found.posture();
        let run = row.latest.as_ref().and_then(|(_, run, _)| run.as_ref());
        Self {
            state,
            headline: state.headline(),
            reason: found.reason,
            summary: found.reason.summary(),
            next_action: found.reason.next_action(),
            claim_boundary: state.claim_boundary(),
            tone: tone(found.reason),
            latest_restore: found.latest,
            latest_run: run.filter(|_| found.latest.is_some()).map(|run| run.id),
        }
    }

    /// The page that leads on.
    #[must_use]
    pub fn href(&self) -> Option<String> {
        let run = self.latest_run.map(|run| format!("/runs/{run}"));
        run.or_else(|| Some(format!("/restores/{}", self.latest_restore?)))
    }
}

const fn tone(reason: PostureReason) -> Tone {
    match reason {
        PostureReason::Failed => Tone::Danger,
        PostureReason::Partial | PostureReason::CompletedWithFollowUp => Tone::Warning,
        PostureReason::NoHistory => Tone::Neutral,
        PostureReason::NoRecentIssuesVisible => Tone::Calm,
    }
}

impl BackupShown {
    /// From the set that is judged.
    #[must_use]
    pub fn of(
        set: Option<&BackupSetFacts>,
        as_of: Timestamp,
        limits: &backup_health::Thresholds,
    ) -> Self {
        let read = BackupReading::of(set, as_of, limits);
        Self {
            state: read.health,
            label: read.health.label(),
            finding: read.finding,
            summary: read.finding.summary(),
            further: read.further.iter().map(|it| it.summary()).collect(),
            next_action: read.finding.next_action(),
            claim_boundary: read.health.claim_boundary(),
            tone: read.health.tone(),
            set: set.map(|set| BackupSetShown {
                id: set.id,
                name: set.name.clone(),
                completed_at: set.completed_at.moment().map(Moment),
                quality: set.quality,
            }),
        }
    }
}

impl UndecidedShown {
    fn of(open: OpenRuns, as_of: Timestamp, limits: &Thresholds) -> Self {
        Self {
            runs: open.runs,
            oldest: open.oldest.map(Moment),
            first: open.first,
            is_overdue: open.runs > 0
                && open.oldest.is_none_or(|oldest| {
                    as_of.duration_since(oldest) >= limits.queued.min(limits.running)
                }),
        }
    }
}

/// What needs somebody in a workspace.
fn needs(workspace: &WorkspaceShown) -> impl Iterator<Item = AttentionLine> + '_ {
    workspace.environments.iter().flat_map(move |shown| {
        let line = |subject, tone, summary, next_action, href| AttentionLine {
            tone,
            subject,
            workspace: workspace.workspace.clone(),
            environment: shown.environment.clone(),
            summary,
            next_action,
            href,
        };
        let list = format!("/runs?environment={}", shown.environment.id);
        let posture = &shown.posture;
        let backup = &shown.backup;
        let weakened = (posture.state == Posture::Weakened).then(|| {
            let href = posture.href().unwrap_or_else(|| list.clone());
            line(
                Subject::RecoveryPosture,
                posture.tone,
                posture.summary,
                posture.next_action,
                href,
            )
        });
        let overdue = shown.undecided.is_overdue.then(|| {
            line(
                Subject::UndecidedRuns,
                Tone::Warning,
                "Operations have been open for longer than expected.",
                "Open the first undecided run.",
                shown.undecided.first.map_or_else(
                    || format!("{list}&undecided=true"),
                    |run| format!("/runs/{run}"),
                ),
            )
        });
        let inputs = (backup.state != BackupHealth::Healthy).then(|| {
            line(
                Subject::BackupHealth,
                backup.tone,
                backup.summary,
                backup.next_action,
                format!("#environment-{}", shown.environment.id),
            )
        });
        [weakened, overdue, inputs].into_iter().flatten()
    })
}
