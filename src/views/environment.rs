//! One environment: its recovery posture and its backup health side by side, and its open runs.
//!
//! **Invariant:** the two are never blended into one score.

use jiff::Timestamp;
use reconciler_jobs::ids::{BackupSetId, EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::backup_health::{
    self, BackupFinding, BackupHealth, BackupReading, BackupSetFacts, BackupStatus, Quality,
};
use reconciler_jobs::reading::freshness::{Freshness, FreshnessThresholds};
use reconciler_jobs::reading::posture::{Posture, PostureReason};
use reconciler_jobs::restore_execute::facts::{At, RestoreFacts};
use reconciler_jobs::restore_execute::{Outcome, Policy};
use reconciler_jobs::stamp::Stamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{ActionLink, Moment, Named, Visibility};
use crate::config::{Linked, Links, addresses};
use crate::postures;
use crate::storage::reader::{EnvironmentSeen, Latest, LongestOpen, OpenRuns, RecentVerdict};

/// How many verdicts of an environment are shown.
const VERDICTS_SHOWN: usize = 14;

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
    /// How many runs say that they succeeded where that is not proven.
    pub unproven_successes: u64,
    /// The restore that is being prepared.
    pub preparing: Option<RestoreId>,
    /// The last verdicts on its runs, the latest last; with those below at most 14, and only those among the latest 200 of
    /// its workspace.
    pub verdicts: Vec<Outcome>,
    /// How many others of the last their runs contradict by now.
    pub contradicted: u64,
    /// Pages of the platform about what is shown, where the configuration has templates of their addresses.
    #[serde(skip_serializing_if = "Links::is_empty")]
    pub links: Links,
}

/// What a restore history says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PostureShown {
    /// The state.
    pub state: Posture,
    /// The heading that pages show.
    pub headline: &'static str,
    /// The heading in a word or two, for a table.
    pub label: &'static str,
    /// Why it is what it is.
    pub reason: PostureReason,
    /// What the heading means, in one sentence.
    pub summary: &'static str,
    /// What to do next.
    pub next_action: &'static str,
    /// What to do next, with where it is done.
    pub action: ActionLink,
    /// The restores of the environment, with the reason why somebody comes to look at them.
    pub restores: String,
    /// What it does not prove.
    pub claim_boundary: &'static str,
    /// An identifier of the claim boundary, for programs.
    pub claim_boundary_id: &'static str,
    /// How urgent it looks.
    pub tone: Tone,
    /// The restore that decided, and its run.
    pub latest_restore: Option<RestoreId>,
    /// The run of that restore.
    pub latest_run: Option<RunId>,
    /// When that restore ended, or started where no end is noted, or was created.
    pub executed_at: Option<Moment>,
}

/// What backup inputs say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BackupShown {
    /// The state.
    pub state: BackupHealth,
    /// What pages call this state of backups.
    pub label: &'static str,
    /// What decided.
    pub finding: BackupFinding,
    /// What the label means, in one sentence.
    pub summary: &'static str,
    /// What else was found.
    pub further: Vec<&'static str>,
    /// What to do next.
    pub next_action: &'static str,
    /// What to do next, with where it is done.
    pub primary_action_target: ActionLink,
    /// Whether a surface may speak well of these inputs, and of nothing else.
    pub healthy_claim_allowed: bool,
    /// What it does not prove.
    pub claim_boundary: &'static str,
    /// An identifier of the claim boundary, for programs.
    pub claim_boundary_id: &'static str,
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
    /// The backup set's name.
    pub name: String,
    /// How it ended.
    pub status: BackupStatus,
    /// When it ended, where that can be read.
    pub completed_at: Option<Moment>,
    /// What was captured.
    pub quality: Quality,
}

/// Runs that nobody has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UndecidedShown {
    /// How many.
    pub runs: u64,
    /// How many of them are about a preview or a preparation, which nobody executed. They wait for nobody, and none of
    /// them is the oldest or overdue.
    pub not_executed: u64,
    /// When the oldest was created, where that can be read.
    pub oldest: Option<Moment>,
    /// The run that is queued or running for longer than an operation may be, or nobody knows for how long; of several the
    /// one that is for longest.
    pub overdue: Option<OverdueRun>,
}

/// A run that is open for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OverdueRun {
    /// The run.
    pub run: RunId,
    /// Since when it is queued or running, where that can be read.
    pub since: Option<Moment>,
}

/// How what was read is judged.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// The rules' settings.
    pub policy: &'a Policy,
    /// When an operation is taken for stuck.
    pub freshness: &'a FreshnessThresholds,
    /// When backup inputs are too old.
    pub backup: &'a backup_health::BackupThresholds,
    /// What the viewer may see.
    pub visibility: Visibility,
}

impl EnvironmentShown {
    pub(super) fn new(
        row: &EnvironmentSeen,
        verdicts: &[RecentVerdict],
        as_of: Timestamp,
        judging: Judging<'_>,
    ) -> Self {
        let own = verdicts
            .iter()
            .filter(|it| it.environment == Some(row.environment));
        let mut own: Vec<&RecentVerdict> = own.collect();
        own.sort_by_key(|it| (it.created_at, it.outcome));
        let last = own
            .get(own.len().saturating_sub(VERDICTS_SHOWN)..)
            .unwrap_or_default();
        Self {
            environment: Named {
                id: row.environment,
                name: row.name.clone(),
            },
            posture: PostureShown::new(row.environment, row.latest.as_ref(), as_of, judging),
            backup: BackupShown::new(row.backup.as_ref(), as_of, judging.backup),
            undecided: UndecidedShown::new(row.open, as_of, judging.freshness),
            unproven_successes: row.unproven.runs,
            preparing: row.preparing,
            verdicts: last
                .iter()
                .filter(|it| it.stands)
                .map(|it| it.outcome)
                .collect(),
            contradicted: last.iter().map(|it| u64::from(!it.stands)).sum(),
            links: Links::new(),
        }
    }

    /// With the addresses that the platform has for what is shown.
    pub(super) fn link(&mut self, workspace: WorkspaceId, templates: &Links) {
        self.links = addresses(templates, |of| match of {
            Linked::Run => self.posture.latest_run.map(|it| it.0),
            Linked::Restore => self.posture.latest_restore.map(|it| it.0),
            Linked::BackupSet => self.backup.set.as_ref().map(|it| it.id.0),
            Linked::Environment => Some(self.environment.id.0),
            Linked::Workspace => Some(workspace.0),
            Linked::Evidence => None,
        });
        self.backup.link(&self.links);
    }

    /// How many of the last verdicts have which outcome, in words.
    pub fn verdicts_said(&self) -> String {
        let of = |outcome: Outcome| self.verdicts.iter().filter(|it| **it == outcome).count();
        let counted = Outcome::ALL.map(|outcome| (of(outcome), outcome.name().replace('_', " ")));
        let said = counted.iter().filter(|(count, _)| *count > 0);
        let mut said: Vec<String> = said
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        if self.contradicted > 0 {
            said.push(format!("{} contradicted by the run", self.contradicted));
        }
        said.join(", ")
    }

    /// The environment's page in the platform.
    pub fn elsewhere(&self) -> Option<&str> {
        self.links.get(&Linked::Environment).map(String::as_str)
    }
}

impl PostureShown {
    /// From the latest executed restore.
    pub fn new(
        environment: EnvironmentId,
        latest: Option<&Latest>,
        as_of: Timestamp,
        judging: Judging<'_>,
    ) -> Self {
        let at = At {
            as_of,
            policy: judging.policy,
        };
        let found = postures::posture(latest, at, judging.visibility.evidence);
        let state = found.posture();
        let decided = latest.filter(|_| found.latest.is_some());
        let run = decided.and_then(|(_, run, ..)| run.as_ref().map(|run| run.id));
        // As the restore was chosen: what lies beyond is no moment.
        let last = as_of
            .checked_add(judging.policy.clock_skew_max)
            .unwrap_or(Timestamp::MAX);
        let is_plausible = |at: &Timestamp| *at > Timestamp::UNIX_EPOCH && *at <= last;
        let latest_moment = |restore: &RestoreFacts| {
            let moments = [restore.completed_at, restore.started_at, restore.created_at];
            let mut moments = moments.into_iter().filter_map(Stamp::moment);
            moments.find(is_plausible)
        };
        let exact = run.map(|run| format!("/runs/{run}"));
        let exact = exact.or_else(|| Some(format!("/restores/{}", found.latest?)));
        let reason = found.reason.word();
        let restores =
            format!("/restores?environment={environment}&recovery_posture_reason={reason}");
        Self {
            state,
            headline: state.headline(),
            label: state.label(),
            reason: found.reason,
            summary: found.summary(),
            next_action: found.next_action(),
            action: ActionLink {
                label: found.next_action(),
                disabled: false,
                helper_text: if exact.is_some() {
                    "Opens the latest restore, or the operation that executed it."
                } else {
                    "Opens the restores of this environment."
                },
                url: exact.or_else(|| Some(restores.clone())),
            },
            restores,
            claim_boundary: state.claim_boundary(),
            claim_boundary_id: state.claim_boundary_id(),
            tone: found.tone(),
            latest_restore: found.latest,
            latest_run: run,
            executed_at: decided
                .and_then(|latest| latest_moment(&latest.0))
                .map(Moment),
        }
    }
}

impl BackupShown {
    /// From the set that is judged.
    pub fn new(
        set: Option<&BackupSetFacts>,
        as_of: Timestamp,
        limits: &backup_health::BackupThresholds,
    ) -> Self {
        let read = BackupReading::of(set, as_of, limits);
        Self {
            state: read.health,
            label: read.health.label(),
            finding: read.finding,
            summary: read.finding.summary(),
            further: read.further.iter().map(|it| it.summary()).collect(),
            next_action: read.finding.next_action(),
            primary_action_target: ActionLink {
                label: read.finding.next_action(),
                url: None,
                disabled: true,
                helper_text: "Backup sets are opened in the platform.",
            },
            healthy_claim_allowed: read.health.healthy_claim_allowed(),
            claim_boundary: read.health.claim_boundary(),
            claim_boundary_id: read.health.claim_boundary_id(),
            tone: read.health.tone(),
            set: set.map(|set| BackupSetShown {
                id: set.id,
                name: set.name.clone(),
                status: set.status,
                completed_at: set.completed_at.moment().map(Moment),
                quality: set.quality,
            }),
        }
    }
}

impl BackupShown {
    /// With the page of the platform where something can be done: that of the set, or of its environment.
    pub(super) fn link(&mut self, links: &Links) {
        let set = links.get(&Linked::BackupSet).filter(|_| self.set.is_some());
        let target = &mut self.primary_action_target;
        target.url = set.or_else(|| links.get(&Linked::Environment)).cloned();
        target.disabled = target.url.is_none();
        if !target.disabled {
            target.helper_text = "Opens the platform.";
        }
    }
}

impl UndecidedShown {
    /// From the open runs.
    pub fn new(open: OpenRuns, as_of: Timestamp, limits: &FreshnessThresholds) -> Self {
        let too_long = |found: Option<LongestOpen>, limit| {
            let found = found?;
            let freshness = Freshness::of_open(found.since, as_of, limit);
            (freshness != Freshness::FreshActive).then(|| OverdueRun {
                run: found.run,
                since: found.since.moment().map(Moment),
            })
        };
        let queued = too_long(open.queued, limits.queued);
        let running = too_long(open.running, limits.running);
        Self {
            runs: open.runs,
            not_executed: open.not_executed,
            oldest: open.oldest.map(Moment),
            // Nobody knows of a moment that is none, which comes first.
            overdue: queued.into_iter().chain(running).min_by_key(|it| it.since),
        }
    }
}
