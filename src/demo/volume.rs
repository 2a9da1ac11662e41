//! Generated runs: the named scenarios over and over, in a realistic mix.
//!
//! Nothing is random: the n-th run is the same in every demonstration, so that what it must come to
//! can be asked again later instead of being remembered. Runs that are decided are spread over the last 29 days, and
//! those that stay open are of today: what they come to depends on their age.
//!
//! **Invariant:** memory does not grow with the number of runs.

use jiff::{SignedDuration, Timestamp};
use reconciler_fixtures::{CaseIds, PlatformRows, Scenario, Standin, scenarios};
use reconciler_jobs::ids::RunId;

use super::error::DemoError;
use super::report::{KindReport, VolumeReport};
use super::seen::Seen;

/// The first generated run; all are above the named scenarios.
const FIRST_RUN: i64 = 1_000_000;

/// The first workspace of generated runs.
const FIRST_WORKSPACE: i64 = 101;

/// How many runs one workspace has on average, while there are less than the most workspaces.
const RUNS_PER_WORKSPACE: u64 = 100;

/// The most workspaces that are generated.
const WORKSPACES_MAX: u64 = 250;

/// How far back decided runs reach, in minutes: evidence of the scenarios is valid for a day longer.
const HISTORY_MINUTES: u64 = 29 * 24 * 60;

/// Who the workspaces belong to; each name with each of [`BRANCHES`].
const COMPANIES: [&str; 25] = [
    "Contoso",
    "Fabrikam",
    "Northwind",
    "Adatum",
    "Litware",
    "Proseware",
    "Tailspin",
    "Wingtip",
    "Woodgrove",
    "Fourth Coffee",
    "Coho",
    "Lucerne",
    "Margie's",
    "Trey",
    "Relecloud",
    "Humongous",
    "Alpine",
    "Blue Yonder",
    "Southridge",
    "Consolidated",
    "Graphic",
    "Harbour",
    "Nordwind",
    "Wide World",
    "Bellows",
];

/// What the companies do.
const BRANCHES: [&str; 10] = [
    "",
    " Retail",
    " Logistics",
    " Energy",
    " Health",
    " Media",
    " Foods",
    " Marine",
    " Capital",
    " Labs",
];

/// How many runs are planted in one transaction.
const CHUNK_RUNS: u64 = 1_000;

/// How many of a thousand runs repeat which scenario.
const MIX: [(u64, &str); 21] = [
    (520, "complete proof"),
    (60, "complete proof, nothing named"),
    (60, "one item skipped"),
    (40, "failed with every item applied"),
    (40, "no evidence"),
    (30, "assignments failed"),
    (30, "partial, every item applied"),
    (30, "cancelled at once"),
    (20, "cancelled near the end"),
    (20, "completed, every item failed"),
    (20, "evidence incomplete"),
    (20, "evidence older than the restore"),
    (20, "no audit entry"),
    (20, "running, all results in"),
    (20, "write gate closed"),
    (10, "counters without rows"),
    (10, "evidence on its way"),
    (10, "operations paused"),
    (10, "preview marked completed"),
    (5, "restore of a foreign workspace"),
    (5, "two restores claim one run"),
];

/// The generated runs, and what has been seen of them.
pub(super) struct Volume {
    runs: u64,
    kinds: Vec<Kind>,
}

/// The ids of so many generated runs.
pub(super) fn runs(number: u64) -> impl Iterator<Item = RunId> {
    (0..number).map(|number| RunId(FIRST_RUN + signed(number)))
}

struct Kind {
    scenario: &'static Scenario,
    weight: u64,
    planted: u64,
    as_expected: u64,
}

impl Volume {
    pub(super) fn new(runs: u64) -> Self {
        let kind = |(weight, name): (u64, &str)| {
            let scenario = scenarios().find(|scenario| scenario.name == name)?;
            Some(Kind {
                scenario,
                weight,
                planted: 0,
                as_expected: 0,
            })
        };
        Self {
            runs,
            kinds: MIX.into_iter().filter_map(kind).collect(),
        }
    }

    /// Plants all runs, chunk by chunk, and tells `progress` how many there are after each.
    pub(super) async fn plant(
        &mut self,
        standin: &Standin,
        now: Timestamp,
        mut progress: impl FnMut(u64),
    ) -> Result<(), DemoError> {
        if self.runs == 0 {
            return Ok(());
        }
        standin.plant(&self.workspace_rows()).await?;
        let mut planted = 0;
        while planted < self.runs {
            let chunk = planted..self.runs.min(planted + CHUNK_RUNS);
            planted = chunk.end;
            let mut rows = PlatformRows::default();
            for number in chunk {
                self.plant_run(number, now, &mut rows);
            }
            standin.plant(&rows).await?;
            progress(planted);
        }
        Ok(())
    }

    fn workspace_rows(&self) -> PlatformRows {
        let mut rows = PlatformRows::default();
        let names = BRANCHES
            .iter()
            .flat_map(|branch| COMPANIES.map(|name| format!("{name}{branch}")));
        for (id, (_, name)) in (FIRST_WORKSPACE..).zip((0..self.workspaces()).zip(names)) {
            rows.add_workspace(id, &name);
        }
        rows
    }

    fn plant_run(&mut self, number: u64, now: Timestamp, rows: &mut PlatformRows) {
        let workspace = FIRST_WORKSPACE + signed(scatter(!number) % self.workspaces());
        let ids = CaseIds::alternating(FIRST_RUN + signed(number), workspace);
        if let Some(kind) = self.kind_of(number) {
            kind.planted += 1;
            let is_decided = kind.scenario.expected.0.is_verdict();
            let age = signed(scatter(number ^ HISTORY_MINUTES) % HISTORY_MINUTES);
            let age = SignedDuration::from_mins(if is_decided { age } else { 0 });
            rows.extend([kind.scenario.case(ids, now - age)]);
        }
    }

    fn kind_of(&mut self, number: u64) -> Option<&mut Kind> {
        let total: u64 = self.kinds.iter().map(|kind| kind.weight).sum();
        let mut left = scatter(number).checked_rem(total)?;
        self.kinds.iter_mut().find(|kind| {
            let here = left < kind.weight;
            left = left.saturating_sub(kind.weight);
            here
        })
    }

    /// Counts a run that was looked at, if it is one of these.
    pub(super) fn note(&mut self, run: RunId, seen: Seen) {
        let number = run.0.checked_sub(FIRST_RUN);
        let Some(number) = number.and_then(|number| u64::try_from(number).ok()) else {
            return;
        };
        if let Some(kind) = self.kind_of(number)
            && seen.is(kind.scenario.expected)
        {
            kind.as_expected += 1;
        }
    }

    /// None where no run was asked for.
    pub(super) fn report(&self) -> Option<VolumeReport> {
        let kinds: Vec<_> = self.kinds.iter().map(Kind::report).collect();
        let as_expected: u64 = kinds.iter().map(|kind| kind.as_expected).sum();
        (self.runs > 0).then(|| VolumeReport {
            runs: self.runs,
            workspaces: self.workspaces(),
            unexpected: self.runs.abs_diff(as_expected),
            kinds,
        })
    }

    fn workspaces(&self) -> u64 {
        (self.runs / RUNS_PER_WORKSPACE).clamp(1, WORKSPACES_MAX)
    }
}

impl Kind {
    fn report(&self) -> KindReport {
        KindReport {
            name: self.scenario.name,
            expected_decision: self.scenario.expected.0,
            expected_reason: self.scenario.expected.1,
            planted: self.planted,
            as_expected: self.as_expected,
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Spreads consecutive numbers evenly, the same way each time (the finaliser of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use reconciler_jobs::restore_execute::record::Source;

    use super::*;

    #[test]
    fn the_mix_is_of_scenarios_that_a_sweep_decides_and_adds_up() {
        let volume = Volume::new(1);
        assert_eq!(volume.kinds.len(), MIX.len(), "a name has no scenario");
        assert_eq!(MIX.iter().map(|(weight, _)| weight).sum::<u64>(), 1_000);
        for kind in &volume.kinds {
            assert_eq!(kind.scenario.reached_by(), Source::Sweep);
        }
    }

    /// As many names as there can be workspaces, and decided runs of every one of thirty days.
    #[test]
    fn workspaces_have_names_of_their_own_and_runs_a_history() {
        let mut volume = Volume::new(RUNS_PER_WORKSPACE * WORKSPACES_MAX);
        let rows = volume.workspace_rows();
        let names: BTreeSet<&str> = rows.workspaces.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names.len() as u64, WORKSPACES_MAX);
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let mut rows = PlatformRows::default();
        (0..2_000).for_each(|number| volume.plant_run(number, now, &mut rows));
        let days = rows
            .runs
            .iter()
            .filter_map(|run| run.created_at.as_deref()?.get(..10));
        let days: BTreeSet<&str> = days.collect();
        assert!((30..=31).contains(&days.len()), "{days:?}");
    }

    #[test]
    fn a_thousand_runs_hold_every_kind_about_as_often_as_asked_for() {
        let mut volume = Volume::new(10_000);
        for number in 0..10_000 {
            volume.kind_of(number).unwrap().planted += 1;
        }
        for kind in &volume.kinds {
            let wanted = kind.weight * 10;
            assert!(
                kind.planted.abs_diff(wanted) < 20 + wanted / 5,
                "{}: {} instead of {wanted}",
                kind.scenario.name,
                kind.planted
            );
        }
    }
}
