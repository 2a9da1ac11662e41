//! `sweep`: one pass over all due runs.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::ControlFlow;

use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::record::Source;
use reconciler_jobs::restore_execute::{Decision, Policy, ReasonCode};

use super::exit::Exit;
use super::interruption::Interruption;
use super::opinions;
use super::output::{Document, ReasonCount, Refusal, Swept, SweptRun};
use super::progress::{Progress, per_second};
use super::screen::{Screen, Tint};
use super::session::Session;
use super::table::{kept, spare};
use crate::storage::reader::{Reader, Workspaces};
use crate::storage::{
    Access, Assessment, ErrorKind, Settled, Settlement, Settling, Store, StoreError, Tally,
};
use crate::sweep::{DuePages, Scope, rehearse, sweep};
use crate::views::ClaimBoundary;
use crate::views::verdict::DecisionWord;

/// How many refused runs are named; the rest are counted.
const REFUSALS_SHOWN_MAX: usize = 20;

/// How many decided runs `--list` names; the rest are counted.
const DECIDED_SHOWN_MAX: usize = 100_000;

/// What to sweep.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Args {
    /// Only runs of this workspace.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: Option<i64>,
    /// At most so many runs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show what would be decided; write nothing at all.
    #[arg(long)]
    dry_run: bool,
    /// Settle each run for real, say what the database would refuse, and undo it; needs the right to write.
    #[arg(long, requires = "dry_run")]
    rehearse: bool,
    /// Name each run that was decided, or with `--dry-run` would be, beside the counts.
    #[arg(long)]
    list: bool,
    /// Form second opinions on runs that somebody else closed instead, all at once, and list them; no run is settled.
    #[arg(long, conflicts_with_all = ["dry_run", "limit", "workspace", "list"])]
    opinions: bool,
}

impl Args {
    fn scope(&self, lanes: NonZeroU32) -> Scope {
        Scope {
            lanes,
            workspace: self.workspace.map(WorkspaceId),
            limit: self.limit,
            ..Scope::default()
        }
    }
}

/// What a pass came to so far.
#[derive(Default)]
struct Findings {
    tally: Tally,
    reasons: ReasonTally,
    would_be: ReasonTally,
    refusals: Vec<Refusal>,
    /// None where nobody wants to know which they were.
    decided: Option<Vec<SweptRun>>,
}

/// Runs by decision and reason.
type ReasonTally = BTreeMap<(DecisionWord, ReasonCode), u64>;

impl Findings {
    fn add(&mut self, settled: &Settled) {
        self.tally.add(&settled.result);
        match &settled.result {
            Settlement::Committed(assessment) | Settlement::Deferred(assessment, _) => {
                add_reason(&mut self.reasons, &assessment.decision);
                self.list(assessment);
            }
            Settlement::Observed(assessment) => {
                add_reason(&mut self.would_be, &assessment.decision);
            }
            Settlement::Refused { error, .. } => self.add_refusal(settled.run, error.clone()),
            Settlement::Paused
            | Settlement::Locked
            | Settlement::Suspended { .. }
            | Settlement::Absent => {}
        }
    }

    /// Names a run that has a verdict, up to so many.
    fn list(&mut self, assessment: &Assessment) {
        let Assessment { facts, decision } = assessment;
        let listed = self
            .decided
            .as_mut()
            .filter(|_| decision.outcome().is_some());
        let Some(listed) = listed.filter(|listed| listed.len() < DECIDED_SHOWN_MAX) else {
            return;
        };
        listed.push(SweptRun {
            run: facts.run.id.0,
            workspace: facts.run.workspace_id.0,
            environment: facts.run.environment_id.map(|id| id.0),
            decision: decision.into(),
            code: decision.reason.code().to_owned(),
        });
    }

    /// Counts a run that is looked at, and whether or not it may be settled.
    fn add_look(&mut self, assessment: &Assessment, with: &Settling, is_dry: bool) {
        let Assessment { facts, decision } = assessment;
        let run = &facts.run;
        if !decision.is_about_open_run() || with.admission.admits(run.workspace_id, run.created_at)
        {
            self.tally.add_decision(decision);
            add_reason(&mut self.reasons, decision);
            return self.list(assessment);
        }
        self.tally.passed_over += 1;
        add_reason(&mut self.would_be, decision);
        if !is_dry {
            with.observations.note(run, decision);
        }
    }

    fn add_refusal(&mut self, run: RunId, error: String) {
        if self.refusals.len() < REFUSALS_SHOWN_MAX {
            self.refusals.push(Refusal { run: run.0, error });
        }
    }
}

fn add_reason(tally: &mut ReasonTally, decision: &Decision) {
    let key = (DecisionWord::from(decision), decision.reason);
    *tally.entry(key).or_default() += 1;
}

fn counts_of(tally: ReasonTally) -> Vec<ReasonCount> {
    let each = tally.into_iter();
    each.map(|((decision, reason), runs)| ReasonCount {
        decision,
        code: reason.code().to_owned(),
        runs,
    })
    .collect()
}

/// Sweeps and shows what came of it. After an error or an interruption, shows what was committed before.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    if args.opinions {
        return opinions::form_all(session).await;
    }
    if args.rehearse {
        session.may_rehearse()?;
    }
    let observes = !session.config.settling.admission().acts;
    let store = open(session, args, observes).await?;
    let settling = session.settling(Source::Sweep);
    let scope = args.scope(session.config.sweep.lanes());
    let due = store.count_due(scope.workspace).await?;
    let total = args.limit.map_or(due, |limit| limit.min(due));

    let mut findings = Findings {
        decided: args.list.then(Vec::new),
        ..Findings::default()
    };
    let what = match (args.dry_run, args.rehearse) {
        (true, true) => "rehearsing",
        (true, false) => "looking",
        (false, _) => "sweeping",
    };
    let mut progress = Progress::new(session.screen, what, total);
    let interruption = Interruption::default();
    let done = if (args.dry_run || observes) && !args.rehearse {
        let each = |runs, page: Vec<Look>| {
            for look in page {
                look.count(&mut findings, &settling, args.dry_run);
            }
            progress.advance(runs);
            interruption.wish()
        };
        let look = look(&store, scope, &settling, each);
        interruption.heed_during(look).await
    } else {
        let each = |settled: &[Settled]| {
            for run in settled {
                findings.add(run);
            }
            progress.advance(settled.len());
            interruption.wish()
        };
        let sweep = async {
            if args.rehearse {
                return rehearse(&store, scope, &settling, each).await;
            }
            let pass = sweep(&store, scope, &settling, each).await?;
            Ok(pass.is_complete)
        };
        interruption.heed_during(sweep).await
    };
    let elapsed_ms = progress.elapsed_ms();
    drop(progress);

    let is_complete = done.as_ref().is_ok_and(|is_complete| *is_complete);
    let swept = swept(args, findings, elapsed_ms, is_complete);
    let exit = Exit::from(&swept);
    show(swept, session.screen)?;
    done?;
    Ok(exit)
}

/// A dry run needs nothing of ours; one beside a schema that is not this program's says so. Whoever only observes needs
/// nothing of ours either, and is to see each open run.
async fn open(session: &mut Session<'_>, args: &Args, observes: bool) -> anyhow::Result<Store> {
    if observes && !args.dry_run {
        let store = session.open_to_observe().await?;
        return session.trusted(store).await;
    }
    if !args.dry_run || args.rehearse {
        return session.open_to_settle(Access::Write).await;
    }
    let mut store = session.open_to_look().await?;
    if !store.is_alone() {
        store = session.migrated(store).await?;
    }
    session.trusted(store).await
}

impl From<&Swept> for Exit {
    /// A pass that was stopped leaves runs undecided.
    fn from(swept: &Swept) -> Self {
        let rest = if swept.complete {
            Self::Done
        } else {
            Self::Undecided
        };
        Self::of_all([Self::from(&swept.counts), rest])
    }
}

fn swept(args: &Args, findings: Findings, elapsed_ms: u64, complete: bool) -> Swept {
    let Findings {
        tally,
        reasons,
        would_be,
        refusals,
        decided,
    } = findings;
    let verdicts = tally.succeeded + tally.partially_succeeded + tally.blocked + tally.failed;
    let listed = decided
        .as_ref()
        .map_or(verdicts, |listed| listed.len() as u64);
    Swept {
        dry_run: args.dry_run,
        rehearsed: args.rehearse,
        complete,
        workspace: args.workspace,
        limit: args.limit,
        runs: tally.looked_at(),
        elapsed_ms,
        counts: tally,
        reasons: counts_of(reasons),
        decided,
        decided_omitted: verdicts.checked_sub(listed).filter(|more| *more > 0),
        would_be: counts_of(would_be),
        refusals_omitted: tally.refused.saturating_sub(refusals.len() as u64),
        refusals,
        claim_boundary: ClaimBoundary::default(),
    }
}

/// What a look at one run, or at one that could not be read, came to.
enum Look {
    Assessed(Box<Assessment>),
    Refused(RunId, String),
    Gone,
}

impl Look {
    fn count(self, findings: &mut Findings, with: &Settling, is_dry: bool) {
        match self {
            Self::Assessed(assessment) => findings.add_look(&assessment, with, is_dry),
            Self::Refused(run, error) => {
                findings.tally.refused += 1;
                findings.add_refusal(run, error);
            }
            Self::Gone => findings.tally.passed_over += 1,
        }
    }
}

/// Decides every due run within `scope` and writes nothing: no verdict, no watch list, no sweep. Says
/// whether it came to the end.
async fn look(
    store: &Store,
    scope: Scope,
    with: &Settling,
    mut each: impl FnMut(usize, Vec<Look>) -> ControlFlow<()>,
) -> Result<bool, StoreError> {
    let reader = store.reader();
    let mut pages = DuePages::new(scope, with.batch_runs_max);
    while let Some(runs) = pages.next(store).await? {
        let looks = look_at(&reader, &runs, &with.policy).await?;
        if each(runs.len(), looks).is_break() {
            break;
        }
    }
    Ok(pages.is_over())
}

/// A run whose rows the database refuses to hand over is isolated by halving, as it is when runs
/// are settled, so that a dry run announces what the pass would do.
async fn look_at(
    reader: &Reader,
    runs: &[RunId],
    policy: &Policy,
) -> Result<Vec<Look>, StoreError> {
    let mut looks = Vec::with_capacity(runs.len());
    let mut pending = vec![runs];
    while let Some(batch) = pending.pop() {
        match reader.assess(&Workspaces::All, batch, policy).await {
            Ok(assessed) => {
                let gone = batch.len().saturating_sub(assessed.len());
                let assessed = assessed.into_iter().map(Box::new).map(Look::Assessed);
                looks.extend(assessed);
                looks.extend((0..gone).map(|_| Look::Gone));
            }
            Err(error) if error.kind() == ErrorKind::Refused => match batch {
                [] => {}
                [run] => looks.push(Look::Refused(*run, error.to_string())),
                _ => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    pending.extend([right, left]);
                }
            },
            Err(error) => return Err(error),
        }
    }
    Ok(looks)
}

fn show(swept: Swept, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::Sweep(swept))?);
    }
    screen.line(&headline(&swept))?;
    if swept.runs > 0 {
        for (heading, reasons) in [("DECISION", &swept.reasons), ("WOULD BE", &swept.would_be)] {
            if !reasons.is_empty() || swept.would_be.is_empty() && heading == "DECISION" {
                let columns = [
                    kept(heading),
                    kept("REASON"),
                    kept("RUNS"),
                    spare(1, "MEANING"),
                ];
                screen.table(columns, reasons.iter().map(row))?;
            }
        }
        for (tint, name, count) in outcomes(&swept.counts) {
            let line = format!("{name:<20}{count:>10}");
            if count > 0 {
                screen.tinted(tint, &line)?;
            } else {
                screen.line(&line)?;
            }
        }
    }
    if let Some(decided) = swept.decided.as_ref().filter(|listed| !listed.is_empty()) {
        let columns = [
            kept("RUN"),
            spare(1, "WORKSPACE"),
            spare(2, "ENVIRONMENT"),
            kept("DECISION"),
            kept("REASON"),
        ];
        screen.table(columns, decided.iter().map(decided_row))?;
    }
    if let Some(omitted) = swept.decided_omitted {
        screen.line(&format!("{omitted} more are counted and not listed."))?;
    }
    for Refusal { run, error } in &swept.refusals {
        let would = if swept.dry_run { "would be" } else { "was" };
        screen.line(&format!("Run {run} {would} refused: {error}"))?;
    }
    if swept.refusals_omitted > 0 {
        let omitted = swept.refusals_omitted;
        screen.line(&if swept.dry_run {
            format!("{omitted} more would be refused.")
        } else {
            format!("{omitted} more were refused; the log names each.")
        })?;
    }
    if swept.runs > 0 {
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(())
}

fn headline(swept: &Swept) -> String {
    let runs = swept.runs;
    let where_ = swept
        .workspace
        .map_or_else(String::new, |id| format!(" in workspace {id}"));
    if runs == 0 && swept.complete {
        return format!("No run is due{where_}.");
    }
    let elapsed = std::time::Duration::from_millis(swept.elapsed_ms);
    let rate = per_second(runs, elapsed);
    let observed: u64 = swept.would_be.iter().map(|count| count.runs).sum();
    let observed = match observed {
        0 => String::new(),
        runs => format!(" Only observed, and neither locked nor written: {runs}."),
    };
    let ending = match (swept.complete, swept.dry_run) {
        (false, _) => " The pass did not reach its end.",
        (true, true) if swept.rehearsed => " This was a rehearsal: all of it was undone.",
        (true, true) => " This was a dry run: nothing was written.",
        (true, false) => "",
    };
    let seconds = elapsed.as_secs_f64();
    let runs = quantity(runs, "due run");
    format!("Looked at {runs}{where_} in {seconds:.1} s, {rate} per second.{observed}{ending}")
}

fn decided_row(decided: &SweptRun) -> [String; 5] {
    let environment = decided.environment.map(|id| id.to_string());
    [
        decided.run.to_string(),
        decided.workspace.to_string(),
        environment.unwrap_or_else(|| "-".to_owned()),
        decided.decision.name().to_owned(),
        decided.code.clone(),
    ]
}

fn row(count: &ReasonCount) -> [String; 4] {
    let meaning = ReasonCode::parse(&count.code)
        .map(ReasonCode::sentence)
        .unwrap_or_default();
    [
        count.decision.name().to_owned(),
        count.code.clone(),
        count.runs.to_string(),
        meaning.to_owned(),
    ]
}

/// Every outcome with its count, the ones that never happened left out beyond the verdicts.
fn outcomes(counts: &Tally) -> Vec<(Tint, &'static str, u64)> {
    let always = [
        (Tint::Good, DecisionWord::Succeeded.name(), counts.succeeded),
        (
            Tint::Notice,
            DecisionWord::PartiallySucceeded.name(),
            counts.partially_succeeded,
        ),
        (Tint::Bad, DecisionWord::Blocked.name(), counts.blocked),
        (Tint::Bad, DecisionWord::Failed.name(), counts.failed),
        (Tint::Notice, DecisionWord::Deferred.name(), counts.deferred),
    ];
    let sometimes = [
        (Tint::Bad, "refused", counts.refused),
        (Tint::Notice, "left alone", counts.passed_over),
    ];
    let happened = sometimes.into_iter().filter(|(_, _, count)| *count > 0);
    always.into_iter().chain(happened).collect()
}
