//! What is found of everything that a question covers, page or no page: how many environments are in which
//! posture, and what needs somebody first.
//!
//! **Invariant:** what was left out is counted, or said to be unknown.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, WorkspaceId};
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::backup_health::BackupHealth;
use reconciler_jobs::reading::posture::Posture;
use schemars::JsonSchema;
use serde::Serialize;

use super::environment::{BackupShown, Judging, PostureShown, UndecidedShown};
use super::{Moment, Named, gone};
use crate::postures::Postures;
use crate::storage::reader::{EnvironmentSeen, OrphanedRuns, Walked};

/// How many places of one cause are named; more than a large platform has of most.
const PLACES_MAX: usize = 600;

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

/// One cause, with all places where it needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Need {
    /// How urgent it looks.
    pub tone: Tone,
    /// What needs somebody.
    pub subject: NeedSubject,
    /// What was found.
    pub summary: &'static str,
    /// What to do next.
    pub next_action: &'static str,
    /// How many places there are.
    pub places: u64,
    /// Since when it is so in one of them, the longest; none where no moment is known.
    pub oldest: Option<Moment>,
    /// Places, the longest ago first, those without a moment last; at most 600.
    pub listed: Vec<NeedPlace>,
}

/// A place that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NeedPlace {
    /// Which workspace.
    pub workspace: Named<WorkspaceId>,
    /// Which environment.
    pub environment: Named<EnvironmentId>,
    /// Since when, where a moment is known.
    pub since: Option<Moment>,
    /// The page that leads on.
    pub href: String,
}

/// What needs somebody, of all environments that were gone through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Needs {
    /// Each cause once, the most urgent first, then the one that began longest ago.
    pub causes: Vec<Need>,
}

impl Needs {
    /// Notes a place, beside what else is due to the same cause.
    fn add(&mut self, cause: Need, place: NeedPlace) {
        let known = |it: &Need| (it.subject, it.summary) == (cause.subject, cause.summary);
        let at = self.causes.iter().position(known).unwrap_or_else(|| {
            self.causes.push(cause);
            self.causes.len() - 1
        });
        let Some(need) = self.causes.get_mut(at) else {
            return;
        };
        need.places += 1;
        need.oldest = need.oldest.into_iter().chain(place.since).min();
        need.listed.push(place);
        if need.listed.len() >= 2 * PLACES_MAX {
            need.cut();
        }
    }

    fn ended(&mut self) {
        self.causes.iter_mut().for_each(Need::cut);
        self.causes.sort_by_key(|it| {
            (
                Reverse(it.tone.urgency()),
                it.oldest.is_none(),
                it.oldest,
                it.subject,
            )
        });
    }

    /// How many places there are, each as often as it has a cause.
    pub fn places(&self) -> u64 {
        self.causes.iter().map(|it| it.places).sum()
    }
}

impl Need {
    fn new(
        tone: Tone,
        subject: NeedSubject,
        summary: &'static str,
        next_action: &'static str,
    ) -> Self {
        Self {
            tone,
            subject,
            summary,
            next_action,
            places: 0,
            oldest: None,
            listed: Vec::new(),
        }
    }

    /// Keeps the places where it is so for longest; of those that are alike, the first found.
    fn cut(&mut self) {
        self.listed.sort_by_key(|it| (it.since.is_none(), it.since));
        self.listed.truncate(PLACES_MAX);
    }

    /// Where the next action leads: to the place where it is so for longest.
    pub fn href(&self) -> &str {
        self.first().map_or("/", |place| &place.href)
    }

    /// The place where it is so for longest.
    pub fn first(&self) -> Option<&NeedPlace> {
        self.listed.first()
    }

    /// The places that are shown to whoever opens them.
    pub fn others(&self) -> &[NeedPlace] {
        self.listed.get(1..).unwrap_or_default()
    }

    /// How many places there are beside those that are named.
    pub fn unlisted(&self) -> u64 {
        self.places.saturating_sub(self.listed.len() as u64)
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
    /// The names of the workspaces.
    pub workspaces: BTreeMap<WorkspaceId, String>,
    /// Each environment with its posture and how urgent that looks, in the order of workspaces.
    pub environments: Vec<(SurveyedKey, Posture, Tone)>,
}

/// An environment and its workspace.
pub type SurveyedKey = (WorkspaceId, EnvironmentId);

impl Survey {
    /// The environments in a posture behind `after`, at most `limit`, those that look most urgent first where
    /// `urgent_first` says so; and the last of them where others follow. Where `after` is among them no more, they are told
    /// from the first on.
    pub fn chosen(
        &self,
        posture: Option<Posture>,
        urgent_first: bool,
        after: Option<SurveyedKey>,
        limit: usize,
    ) -> (Vec<EnvironmentId>, Option<SurveyedKey>) {
        let is_asked_for =
            |it: &&(SurveyedKey, Posture, Tone)| posture.is_none_or(|posture| it.1 == posture);
        let mut all: Vec<_> = self.environments.iter().filter(is_asked_for).collect();
        if urgent_first {
            all.sort_by_key(|it| Reverse(it.2.urgency()));
        }
        let mut keys = all.into_iter().map(|it| it.0);
        let mut rest = keys.clone();
        if let Some(after) = after
            && keys.any(|key| key == after)
        {
            rest = keys;
        }
        let shown: Vec<SurveyedKey> = rest.by_ref().take(limit).collect();
        let last = shown.last().copied().filter(|_| rest.next().is_some());
        (
            shown
                .into_iter()
                .map(|(_, environment)| environment)
                .collect(),
            last,
        )
    }

    /// Judges environments, and keeps nothing of them but what was found.
    pub fn add(&mut self, passed: &[EnvironmentSeen], as_of: Timestamp, judging: Judging<'_>) {
        for environment in passed {
            let posture = PostureShown::new(
                environment.environment,
                environment.latest.as_ref(),
                as_of,
                judging,
            );
            self.postures.add(environment.workspace, posture.state);
            let name = || environment.workspace_name.clone();
            self.workspaces
                .entry(environment.workspace)
                .or_insert_with(name);
            let key = (environment.workspace, environment.environment);
            self.environments.push((key, posture.state, posture.tone));
            for (cause, since, href) in needs(environment, &posture, as_of, judging) {
                self.needs.add(
                    cause,
                    NeedPlace {
                        workspace: Named {
                            id: environment.workspace,
                            name: environment.workspace_name.clone(),
                        },
                        environment: Named {
                            id: environment.environment,
                            name: environment.name.clone(),
                        },
                        // What is still to come has not lasted.
                        since: since.filter(|at| *at <= as_of).map(Moment),
                        href,
                    },
                );
            }
        }
    }

    /// Adds open runs of environments that no walk passes, because they were deleted or moved.
    pub fn add_orphaned(&mut self, found: Vec<OrphanedRuns>) {
        let in_all = found.first().map_or(0, |first| first.environments);
        let beside = in_all.saturating_sub(found.len() as u64);
        for orphaned in found {
            let cause = Need::new(
                Tone::Warning,
                NeedSubject::OrphanedRuns,
                "Operations are open of an environment that was deleted, or moved to another workspace.",
                "Open them, and find out what the platform still does there.",
            );
            let place = NeedPlace {
                environment: Named {
                    id: orphaned.environment,
                    name: gone(orphaned.environment),
                },
                workspace: Named {
                    id: orphaned.workspace,
                    name: orphaned.workspace_name,
                },
                since: None,
                href: format!("/runs?workspace={}&orphaned=true", orphaned.workspace),
            };
            self.needs.add(cause, place);
        }
        let is_it = |it: &&mut Need| it.subject == NeedSubject::OrphanedRuns;
        if let Some(need) = self.needs.causes.iter_mut().find(is_it) {
            need.places += beside;
        }
    }

    /// What was found once the walk has come to its end.
    #[must_use]
    pub fn ended(mut self, walked: Walked) -> Self {
        self.needs.ended();
        self.as_of = walked.as_of;
        self.postures = self.postures.ended(walked);
        self
    }
}

/// What needs somebody in an environment: why, since when, and where that is looked at.
fn needs(
    passed: &EnvironmentSeen,
    posture: &PostureShown,
    as_of: Timestamp,
    judging: Judging<'_>,
) -> impl Iterator<Item = (Need, Option<Timestamp>, String)> {
    let list = format!("/runs?environment={}", passed.environment);
    let unproven = (passed.unproven.runs > 0).then(|| {
        let cause = Need::new(
            Tone::Danger,
            NeedSubject::UnprovenSuccesses,
            "Runs say that they succeeded, and that is not proven.",
            "Compare what they say with the proof.",
        );
        (
            cause,
            passed.unproven.oldest,
            format!("{list}&unproven=true"),
        )
    });
    let weakened = (posture.state == Posture::Weakened).then(|| {
        let (summary, next_action) = (posture.summary, posture.next_action);
        let subject = NeedSubject::RecoveryPosture;
        let cause = Need::new(posture.tone, subject, summary, next_action);
        let since = posture.executed_at.map(|at| at.0);
        (
            cause,
            since,
            posture.action.url.clone().unwrap_or_else(|| list.clone()),
        )
    });
    let undecided = UndecidedShown::new(passed.open, as_of, judging.freshness);
    let overdue = undecided.overdue.map(|overdue| {
        let cause = Need::new(
            Tone::Warning,
            NeedSubject::UndecidedRuns,
            "Operations have been open for too long.",
            "Open the one that has taken longest.",
        );
        let since = overdue.since.map(|at| at.0);
        (cause, since, format!("/runs/{}", overdue.run))
    });
    let backup = BackupShown::new(passed.backup.as_ref(), as_of, judging.backup);
    let inputs = (backup.state != BackupHealth::Healthy).then(|| {
        let subject = NeedSubject::BackupHealth;
        let cause = Need::new(backup.tone, subject, backup.summary, backup.next_action);
        let since = backup.set.as_ref().and_then(|set| set.completed_at);
        let row = row_of(passed.workspace, passed.environment);
        (cause, since.map(|at| at.0), row)
    });
    [unproven, weakened, overdue, inputs].into_iter().flatten()
}

/// Where an environment stands first on the page of its workspace.
fn row_of(workspace: WorkspaceId, environment: EnvironmentId) -> String {
    // Nothing stands before the lowest id there can be, and no page is after none.
    let before = environment.0.saturating_sub(1);
    let after = if before > 0 {
        format!("&after={workspace}.{before}")
    } else {
        String::new()
    };
    format!("/?workspace={workspace}{after}#environment-{environment}")
}
