//! The overview: recovery posture and backup health side by side, and what needs somebody first.
//!
//! **Invariant:** the two are never blended into one score, and neither are the environments of a workspace.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use reconciler_jobs::ids::{EnvironmentId, WorkspaceId};
use reconciler_jobs::reading::posture::WorkspacePosture;
use reconciler_jobs::sweep::admission::SettlingMode;
use schemars::JsonSchema;
use serde::Serialize;

use super::environment::{EnvironmentShown, Judging};
use super::mix::{Mix, Window};
use super::survey::{Needs, Survey};
use super::{Moment, Named};
use crate::config::Links;
use crate::postures::Coverage;
use crate::storage::reader::{EnvironmentPage, EnvironmentSeen, RecentVerdict};
use crate::storage::{Judge, Pause};

/// Workspaces and their environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Overview {
    /// The database's clock.
    pub as_of: Moment,
    /// When the environments were gone through, by the same clock: at most 15 seconds before.
    pub counted_at: Moment,
    /// The environments that were gone through for what needs attention and for the counts of postures: those on
    /// all pages, not of this one alone.
    pub covered: Covered,
    /// What needs somebody, on whatever page it stands.
    pub needs_attention: Needs,
    /// The workers that were heard of in the last half minute, by what becomes of runs there; none where this console may
    /// not read that.
    pub workers: Option<Vec<WorkersInMode>>,
    /// What is paused, everything first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// The workspaces of the environments on this page.
    pub workspaces: Vec<WorkspaceShown>,
    /// Asks for the environments after these; none at the end.
    pub next: Option<String>,
    /// Whether environments that look most urgent come first.
    #[serde(skip)]
    pub urgent_first: bool,
    /// How many environments are in which posture, of those that were gone through.
    #[serde(skip)]
    pub counted: WorkspacePosture,
    /// The names of all workspaces that were gone through.
    #[serde(skip)]
    pub all_workspaces: BTreeMap<WorkspaceId, String>,
}

/// Workers that do the same with runs that can be decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkersInMode {
    /// `act`, `act_in_part` or `observe`.
    pub mode: String,
    /// How many.
    pub workers: u64,
}

/// Which environments were gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Covered {
    /// How many.
    pub environments: u64,
    /// Whether there are no others. Else they are the first ones, in the order of pages.
    pub is_all: bool,
}

/// One workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkspaceShown {
    /// The workspace.
    pub workspace: Named<WorkspaceId>,
    /// How many of its environments are in which posture, whether or not they are on this page.
    pub postures: WorkspacePosture,
    /// How many of its environments were counted.
    pub coverage: Coverage,
    /// Where this workspace is counted alone; none where that makes no difference.
    pub alone: Option<String>,
    /// The environments of the workspace that are on this page.
    pub environments: Vec<EnvironmentShown>,
    /// The latest verdicts over time.
    pub mix: Mix,
}

/// What was read for an overview.
#[derive(Debug, Clone, Copy)]
pub struct OverviewFacts<'a> {
    /// The page.
    pub page: &'a EnvironmentPage,
    /// What is paused, everything first.
    pub pauses: &'a [Pause],
    /// The latest verdicts of its workspaces.
    pub verdicts: &'a [RecentVerdict],
    /// How far back they are charted.
    pub window: Window,
    /// What was found of all environments that the question covers.
    pub survey: &'a Survey,
    /// Whether the question covers one workspace alone.
    pub is_of_one: bool,
    /// Whether environments that look most urgent come first.
    pub urgent_first: bool,
    /// The workers that were heard of; none where that could not be read.
    pub judges: Option<&'a [Judge]>,
}

impl Overview {
    /// From what was read; `next` is how to ask for more environments.
    pub fn new(
        found: OverviewFacts<'_>,
        judging: Judging<'_>,
        next: impl Fn((WorkspaceId, EnvironmentId)) -> String,
    ) -> Self {
        let page = found.page;
        let mut workspaces: BTreeMap<WorkspaceId, WorkspaceShown> = BTreeMap::new();
        for row in &page.rows {
            let shown = EnvironmentShown::new(row, found.verdicts, page.as_of, judging);
            workspaces
                .entry(row.workspace)
                .or_insert_with(|| WorkspaceShown::empty(row, found))
                .environments
                .push(shown);
        }
        let counted = &found.survey.postures;
        Self {
            // Nothing is from a moment that is still to come.
            as_of: Moment(page.as_of.max(found.survey.as_of)),
            counted_at: Moment(found.survey.as_of),
            covered: Covered {
                environments: counted.total().total(),
                is_all: counted.ended_before.is_none(),
            },
            needs_attention: found.survey.needs.clone(),
            workers: found.judges.map(workers_of),
            pauses: found.pauses.to_vec(),
            workspaces: workspaces.into_values().collect(),
            next: page.after.map(next),
            urgent_first: found.urgent_first,
            counted: counted.total(),
            all_workspaces: found.survey.workspaces.clone(),
        }
    }
}

impl Overview {
    /// The environments in the order that was asked for, each with its workspace.
    pub fn lines(&self) -> Vec<(&WorkspaceShown, &EnvironmentShown)> {
        let of = |shown: &'_ WorkspaceShown| shown.environments.len();
        let mut lines = Vec::with_capacity(self.workspaces.iter().map(of).sum());
        for shown in &self.workspaces {
            lines.extend(shown.environments.iter().map(|it| (shown, it)));
        }
        if self.urgent_first {
            lines.sort_by_key(|(_, it)| Reverse(it.posture.tone.urgency()));
        }
        lines
    }

    /// With the addresses that the platform has for what is shown.
    #[must_use]
    pub fn linked(mut self, templates: &Links) -> Self {
        for shown in &mut self.workspaces {
            for environment in &mut shown.environments {
                environment.link(shown.workspace.id, templates);
            }
        }
        self
    }

    /// The workers that do not act on every run, or that nobody knows whether they do.
    pub fn modes_said(&self) -> Option<String> {
        let of = |it: &WorkersInMode| format!("{} in mode {}", it.workers, it.mode);
        let Some(workers) = &self.workers else {
            let unknown =
                "The modes of workers are not known: this console may not read reconciler.judges.";
            return Some(unknown.to_owned());
        };
        if workers.iter().all(|it| it.mode == SettlingMode::Act.word()) {
            return None;
        }
        let said: Vec<String> = workers.iter().map(of).collect();
        Some(format!(
            "Workers of the last half minute: {}.",
            said.join(", ")
        ))
    }
}

fn workers_of(judges: &[Judge]) -> Vec<WorkersInMode> {
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for judge in judges {
        *counted.entry(&judge.mode).or_default() += 1;
    }
    let counted = counted.into_iter();
    counted
        .map(|(mode, workers)| WorkersInMode {
            mode: mode.to_owned(),
            workers,
        })
        .collect()
}

impl WorkspaceShown {
    fn empty(row: &EnvironmentSeen, found: OverviewFacts<'_>) -> Self {
        let id = row.workspace;
        let own = found.verdicts.iter().filter(|it| it.workspace == id);
        let counted = &found.survey.postures;
        let coverage = counted.coverage(id);
        let makes_a_difference = coverage != Coverage::All && counted.ended_before.is_some();
        Self {
            workspace: Named {
                id,
                name: row.workspace_name.clone(),
            },
            postures: counted.workspaces.get(&id).copied().unwrap_or_default(),
            coverage,
            alone: (makes_a_difference && !found.is_of_one).then(|| format!("/?workspace={id}")),
            environments: Vec::new(),
            mix: Mix::new(own, found.window, found.page.as_of),
        }
    }
}
