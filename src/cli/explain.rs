//! `explain RUN`: every leg, every gap, and what would have to be true. Writes nothing.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::{ReasonCode, Ruling};
use reconciler_jobs::sweep::Schedule;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{
    ClaimBoundary, Document, Exception, Explained, LegResult, Restore, RunResult, State, Verdict,
    Word, moment, stored_word,
};
use super::reconcile::decided;
use super::screen::{Output, Screen, Tint};
use super::session::Session;
use super::verdict;
use crate::storage::{Access, Assessment};
use crate::views::Visibility;
use crate::views::run::legs;

/// A run to explain.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Id of an operation run.
    #[arg(value_name = "RUN", value_parser = clap::value_parser!(i64).range(1..))]
    run: i64,
}

/// Shows what the rules see in one run. The exit code is the one that `reconcile` would have.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open(Access::Read).await?;
    let run = RunId(args.run);
    let policy = session.config.rules.policy();
    let assessed = store.assess(&[run], &policy).await?;
    let Some(assessment) = assessed.into_iter().next() else {
        return Err(Failure::new(
            format!("run {run} does not exist"),
            "Check the id: it is the one of a row of operation_runs.",
        )
        .into());
    };
    let verdict = verdict::on_record(&*store, run).await?;
    let explained = explained(&assessment, verdict);
    let exit = exit_of(&explained.result);
    if session.screen.output == Output::Json {
        let document = Document::Explain(Box::new(explained));
        session.screen.json(&document)?;
    } else {
        let when = when_again(&assessment, &session.config.sweep.back_off());
        show(&explained, &when, session.screen)?;
    }
    Ok(exit)
}

fn exit_of(result: &RunResult) -> Exit {
    match (result.state, result.decision) {
        (State::Decidable, Some(decision)) => decision.exit(),
        _ => result.exit(),
    }
}

fn explained(assessment: &Assessment, verdict: Option<Verdict>) -> Explained {
    let Assessment { facts, decision } = assessment;
    let result = match decision.ruling {
        _ if decision.reason == ReasonCode::AlreadyTerminal => {
            verdict::closed(facts.run.id, verdict.as_ref())
        }
        Ruling::Verdict(_) => decided(State::Decidable, assessment),
        Ruling::Deferred { look_again_at } => RunResult {
            look_again_at: moment(look_again_at),
            ..decided(State::Deferred, assessment)
        },
    };
    // A restore that cannot be tied to the run with certainty may be somebody else's.
    let restore = assessment.restore();
    let items = restore.map(|restore| &restore.items);
    Explained {
        result,
        as_of: facts.as_of.to_string(),
        workspace: facts.run.workspace_id.0,
        environment: facts.run.environment_id.map(|id| id.0),
        run_status: stored_word(&facts.run.status),
        run_outcome: stored_word(&facts.run.outcome),
        restore: restore.map(|restore| Restore {
            id: restore.id.0,
            status: stored_word(&restore.status),
            is_dry_run: restore.is_dry_run,
            completed_at: moment(restore.completed_at.moment()),
        }),
        legs: legs(assessment, Visibility { evidence: true }),
        exceptions: items.map_or_else(Vec::new, |items| {
            items.exceptions.iter().map(Exception::from).collect()
        }),
        exceptions_omitted: items.map_or(0, |items| items.exceptions_omitted),
        verdict,
        claim_boundary: ClaimBoundary::default(),
    }
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
            let latest =
                look_again_at.map_or_else(String::new, |at| format!(", at {at} at the latest"));
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
    let next = verdict::next_action(&explained.result);
    screen.line(&format!("  Next: {next}"))?;
    screen.line(&format!("  Looked at again: {when}"))?;
    screen.line("")?;
    screen.tinted(
        Tint::Heading,
        &format!("Proof, as the database stood at {}", explained.as_of),
    )?;
    screen.table(
        ["LEG", "STATE", "WHAT MUST BE TRUE, AND WHAT IS MISSING"],
        explained.legs.iter().map(leg_row),
    )?;
    show_exceptions(explained, screen)?;
    if let Some(verdict) = &explained.verdict {
        show_verdict(verdict, screen)?;
    }
    if says_succeeded(explained) {
        screen.line("")?;
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(())
}

fn says_succeeded(explained: &Explained) -> bool {
    let succeeded = Word::Succeeded.name();
    explained.result.decision == Some(Word::Succeeded)
        || explained.run_outcome == succeeded
        || explained
            .verdict
            .as_ref()
            .is_some_and(|verdict| verdict.outcome == succeeded)
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
            .as_deref()
            .unwrap_or("no recorded moment");
        screen.line(&format!(
            "  {kind} {}, {}, ended at {ended}",
            restore.id, restore.status
        ))?;
    }
    Ok(())
}

fn tint(result: &RunResult) -> Tint {
    match result.decision {
        Some(Word::Succeeded) => Tint::Good,
        Some(Word::Blocked | Word::Failed) => Tint::Bad,
        _ => Tint::Notice,
    }
}

fn decision_line(result: &RunResult) -> String {
    let words = verdict::in_words(result);
    match (result.state, result.rule) {
        (State::Decidable, Some(rule)) => {
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
        ["PART", "ID", "FINDING"],
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

fn show_verdict(verdict: &Verdict, screen: &mut Screen) -> anyhow::Result<()> {
    let missing = match &verdict.missing {
        None => "cannot be read by this version".to_owned(),
        Some(codes) if codes.is_empty() => "nothing".to_owned(),
        Some(codes) => codes.join(", "),
    };
    let digest = if verdict.digest_matches {
        "the facts on record have it"
    } else {
        "THE FACTS ON RECORD DO NOT HAVE IT: the ledger was altered"
    };
    screen.line("")?;
    screen.tinted(Tint::Heading, "Verdict on record")?;
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
