//! `explain RUN`: every leg, every gap, and what would have to be true. Writes nothing.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::{ReasonCode, Ruling};
use reconciler_jobs::sweep::Schedule;

use super::exit::Exit;
use super::failure::Failure;
use super::output::Document;
use super::reason;
use super::screen::{Screen, Tint};
use super::session::Session;
use super::since::Since;
use super::table::kept;
use crate::storage::reader::{QueueStanding, Workspaces};
use crate::storage::{Assessment, Store};
use crate::views::Moment;
use crate::views::counterfactual::CounterfactualShown;
use crate::views::explain::Explained;
use crate::views::past::{EventThen, ExplainedAt};
use crate::views::verdict::{DecisionWord, LegResult, RunFate, RunResult, Verdict};

/// A run to explain, or a reason code.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Id of an operation run.
    #[arg(
        value_name = "RUN",
        value_parser = clap::value_parser!(i64).range(1..),
        required_unless_present = "reason"
    )]
    run: Option<i64>,
    /// Say what the rules would have said then, and what became known since: a moment such as `2026-11-01T00:00:00Z`, or an
    /// age such as `36h` or `7d`.
    #[arg(long, value_name = "WHEN", conflicts_with = "reason")]
    at: Option<Since>,
    /// Print what the runbook says of this reason code instead; needs no database.
    #[arg(long, value_name = "CODE", value_parser = reason::CODES, hide_possible_values = true, conflicts_with = "run")]
    reason: Option<ReasonCode>,
}

/// Shows what the rules see in one run. The exit code is the one that `reconcile` would have.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    if let Some(code) = args.reason {
        return reason::run(session.screen, code);
    }
    let store = session.open_to_look().await?;
    // Without a code, a run is required.
    let run = RunId(args.run.unwrap_or_default());
    let policy = session.config.rules.policy();
    let reader = store.reader();
    let assessed = reader.assess(&Workspaces::All, &[run], &policy).await?;
    let Some(assessment) = assessed.into_iter().next() else {
        return Err(Failure::new(
            format!("run {run} does not exist"),
            "Check the id: it is the one of a row of operation_runs.",
        )
        .into());
    };
    if let Some(at) = args.at {
        return run_at(session, &store, &assessment, at).await;
    }
    let (mut verdict, mut standing, mut actions) = (None, Vec::new(), Vec::new());
    if !store.is_alone() {
        verdict = reader.load_verdict(&Workspaces::All, run).await?;
        standing = reader.load_standings(&Workspaces::All, &[run]).await?;
        actions = reader.load_actions(run).await?;
    }
    let refusal = standing.first().and_then(QueueStanding::refusal);
    let explained = Explained {
        pause: standing.first().and_then(|it| it.pause.clone()),
        ..Explained::new(&assessment, verdict.as_ref(), refusal.as_ref(), &actions)
    };
    let exit = Exit::from(&explained.result);
    if session.screen.output.is_json() {
        let document = Document::Explain(Box::new(explained));
        session.screen.json(&document)?;
    } else {
        let when = match (&explained.pause, &explained.refusal) {
            (Some(pause), _) => format!(
                "Not before it is resumed with `{}`. {}.",
                pause.ends_with(),
                pause.sentence()
            ),
            (None, Some(refusal)) => {
                format!("By itself, {}.", refusal.again_at.age(&explained.as_of))
            }
            (None, None) => when_again(&assessment, &session.config.sweep.back_off()),
        };
        show(&explained, &when, session.screen)?;
    }
    Ok(exit)
}

/// What was known at an earlier moment, and what became known since.
async fn run_at(
    session: &mut Session<'_>,
    store: &Store,
    assessment: &Assessment,
    at: Since,
) -> anyhow::Result<Exit> {
    let facts = &assessment.facts;
    let (run, now) = (facts.run.id, facts.as_of);
    let at = at.before(now);
    if at > now {
        let future = format!("{} lies in the future", Moment(at));
        let advice = "Ask for a moment that has passed by the database's clock, or leave --at out.";
        return Err(Failure::new(future, advice).into());
    }
    let (mut record, mut actions) = (Vec::new(), Vec::new());
    if !store.is_alone() {
        let reader = store.reader();
        record = reader.load_verdicts(&Workspaces::All, run).await?;
        actions = reader.load_actions(run).await?;
    }
    let explained = ExplainedAt::new(assessment, &record, &actions, at);
    let result = explained.result.as_ref();
    let exit = result.map_or(Exit::Undecided, Exit::from);
    if session.screen.output.is_json() {
        let document = Document::ExplainAt(Box::new(explained));
        session.screen.json(&document)?;
    } else {
        show_past(&explained, run, session.screen)?;
    }
    Ok(exit)
}

fn show_past(explained: &ExplainedAt, run: RunId, screen: &mut Screen) -> anyhow::Result<()> {
    screen.tinted(Tint::Heading, &format!("Run {run}, as of {}", explained.at))?;
    screen.line(&format!("  {}", explained.sentence))?;
    if let Some(result) = &explained.result {
        screen.line("")?;
        let words = result.in_words();
        screen.tinted(tint(result), &format!("Decision then: {words}"))?;
        if let Some(reason) = &result.reason {
            screen.line(&format!("  {}: {}", reason.code, reason.sentence))?;
        }
    }
    if !explained.legs.is_empty() {
        screen.line("")?;
        screen.tinted(Tint::Heading, "Proof, as it was then")?;
        let rows = explained.legs.iter().map(leg_row);
        screen.table(
            ["PART", "STATE", "WHAT MUST BE TRUE, AND WHAT IS MISSING"].map(kept),
            rows,
        )?;
    }
    for (by_then, heading) in [(true, "Dated by then"), (false, "Dated later")] {
        let mut events = explained
            .timeline
            .iter()
            .filter(|it| it.dated_by_then == by_then)
            .peekable();
        if events.peek().is_none() {
            continue;
        }
        screen.line("")?;
        screen.tinted(Tint::Heading, heading)?;
        for EventThen { event, .. } in events {
            let subject = event.subject.label();
            screen.line(&format!(
                "  {}  {subject:<9}  {}",
                event.at.rfc3339(),
                event.text
            ))?;
        }
    }
    if !explained.not_recorded.is_empty() {
        screen.line("")?;
        screen.tinted(Tint::Heading, "What nobody can say of that moment")?;
        for missing in &explained.not_recorded {
            screen.line(&format!("- {}", missing.sentence()))?;
        }
    }
    if explained.says_succeeded() {
        screen.line("")?;
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(())
}

/// When the run will be looked at again, in a sentence.
fn when_again(assessment: &Assessment, schedule: &Schedule) -> String {
    let Assessment { decision, .. } = assessment;
    if decision.reason.is_never_due() {
        return "Never by itself: the run is not open to be judged.".to_owned();
    }
    match decision.ruling {
        Ruling::Verdict(_) => {
            "With the next sweep that finds it due, or when it is reconciled.".to_owned()
        }
        Ruling::Deferred { look_again_at } => {
            let latest = look_again_at.map_or_else(String::new, |at| {
                format!(", at {} at the latest", Moment(at))
            });
            format!(
                "With the sweeps: {:#} after a look, then less and less often, up to every {:#}{latest}.",
                schedule.wait_min, schedule.wait_max
            )
        }
    }
}

fn show(explained: &Explained, when: &str, screen: &mut Screen) -> anyhow::Result<()> {
    show_run(explained, screen)?;
    screen.line("")?;
    screen.tinted(tint(&explained.result), &decision_line(&explained.result))?;
    if let Some(reason) = &explained.result.reason {
        screen.line(&format!("  {}: {}", reason.code, reason.sentence))?;
        screen.line(&format!("  Impact: {}", reason.impact))?;
    }
    if let Some(said) = &explained.result.error {
        screen.line(&format!("  The database said: {said}"))?;
    }
    let next = explained.result.next_action();
    screen.line(&format!("  Next: {next}"))?;
    screen.line(&format!("  Looked at again: {when}"))?;
    screen.line("")?;
    screen.tinted(
        Tint::Heading,
        &format!("Proof, as the database stood at {}", explained.as_of),
    )?;
    screen.table(
        ["PART", "STATE", "WHAT MUST BE TRUE, AND WHAT IS MISSING"].map(kept),
        explained.legs.iter().map(leg_row),
    )?;
    show_exceptions(explained, screen)?;
    if let Some(verdict) = &explained.verdict {
        show_verdict(verdict, screen)?;
    }
    if let Some(shown) = &explained.counterfactual {
        show_counterfactual(shown, screen)?;
    }
    if !explained.actions.is_empty() {
        screen.line("")?;
        screen.tinted(Tint::Heading, "What people did, the latest first")?;
        for event in &explained.actions {
            screen.line(&format!("  {} {}", event.at.rfc3339(), event.text))?;
        }
    }
    if says_succeeded(explained) {
        screen.line("")?;
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(())
}

fn says_succeeded(explained: &Explained) -> bool {
    let succeeded = DecisionWord::Succeeded.name();
    explained.result.decision == Some(DecisionWord::Succeeded)
        || explained.run_outcome == succeeded
        || explained
            .verdict
            .as_ref()
            .is_some_and(|verdict| verdict.outcome == succeeded)
        || explained
            .actions
            .iter()
            .any(|event| event.text.contains(succeeded))
}

fn show_run(explained: &Explained, screen: &mut Screen) -> anyhow::Result<()> {
    let environment = explained.environment.map_or_else(
        || "no environment".to_owned(),
        |id| format!("environment {id}"),
    );
    screen.tinted(Tint::Heading, &format!("Run {}", explained.result.run))?;
    screen.line(&format!(
        "  {}, outcome {}, workspace {}, {environment}",
        explained.run_status, explained.run_outcome, explained.workspace
    ))?;
    if let Some(restore) = &explained.restore {
        let kind = if restore.is_dry_run {
            "preview"
        } else {
            "restore"
        };
        let ended = restore
            .completed_at
            .map_or_else(|| "no time recorded".to_owned(), |at| at.to_string());
        screen.line(&format!(
            "  {kind} {}, {}, ended at {ended}",
            restore.id, restore.status
        ))?;
    }
    Ok(())
}

fn tint(result: &RunResult) -> Tint {
    match result.decision {
        Some(DecisionWord::Succeeded) => Tint::Good,
        Some(DecisionWord::Blocked | DecisionWord::Failed) => Tint::Bad,
        _ => Tint::Notice,
    }
}

fn decision_line(result: &RunResult) -> String {
    let words = result.in_words();
    match (result.state, result.rule) {
        (RunFate::Decidable, Some(rule)) => {
            format!("Decision, if it were reconciled now: {words} (rule {rule})")
        }
        (_, Some(rule)) => format!("Decision: {words} (rule {rule})"),
        (_, None) => format!("Decision: {words}"),
    }
}

fn leg_row(leg: &LegResult) -> [String; 3] {
    let gaps = leg
        .gaps
        .iter()
        .map(|gap| format!("- {}: {}", gap.code, gap.sentence));
    let lines: Vec<_> = std::iter::once(leg.requirement.clone())
        .chain(gaps)
        .collect();
    [
        leg.leg.clone(),
        leg.state.label().to_owned(),
        lines.join("\n"),
    ]
}

fn show_exceptions(explained: &Explained, screen: &mut Screen) -> anyhow::Result<()> {
    if explained.exceptions.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    screen.tinted(Tint::Heading, "Items in trouble")?;
    screen.table(
        ["PART", "ID", "FINDING"].map(kept),
        explained
            .exceptions
            .iter()
            .map(|item| [item.part.clone(), item.id.clone(), item.finding.clone()]),
    )?;
    if explained.exceptions_omitted > 0 {
        screen.line(&format!("and {} more", explained.exceptions_omitted))?;
    }
    Ok(())
}

fn show_counterfactual(shown: &CounterfactualShown, screen: &mut Screen) -> anyhow::Result<()> {
    screen.line("")?;
    if shown.facts.is_empty() {
        screen.line(&shown.sentence)?;
        return Ok(());
    }
    screen.tinted(Tint::Heading, shown.question.lead())?;
    for part in shown.facts.chunk_by(|one, next| one.leg == next.leg) {
        let texts: Vec<_> = part.iter().map(|fact| fact.text.as_str()).collect();
        let leg = part.first().map_or("", |fact| fact.leg.name());
        screen.line(&format!("  {leg:<9}  {}", texts.join("; ")))?;
    }
    screen.line(shown.question.boundary())?;
    Ok(())
}

fn show_verdict(verdict: &Verdict, screen: &mut Screen) -> anyhow::Result<()> {
    let missing = match &verdict.missing {
        None => "cannot be read by this version".to_owned(),
        Some(codes) if codes.is_empty() => "nothing".to_owned(),
        Some(codes) => codes.join(", "),
    };
    let digest = match verdict.digest_matches {
        Some(true) => "the facts on record have it",
        Some(false) => "THE FACTS ON RECORD DO NOT HAVE IT: the ledger was altered",
        None => "the facts were erased",
    };
    screen.line("")?;
    screen.tinted(Tint::Heading, "Verdict")?;
    let lines = [
        ("id", verdict.decision_id.clone()),
        (
            "outcome",
            format!("{}, {}", verdict.outcome, verdict.reason_code),
        ),
        ("missing", missing),
        (
            "decided",
            format!("{} by {}", verdict.decided_at, verdict.worker),
        ),
        ("rules", verdict.ruleset.clone()),
        ("digest", format!("{}; {digest}", verdict.facts_digest)),
        ("review", verdict.standing.sentence().to_owned()),
    ];
    for (name, text) in lines {
        screen.line(&format!("  {name:<8} {text}"))?;
    }
    Ok(())
}
