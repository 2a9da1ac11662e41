//! `ledger simulate`: what another policy would have said of the verdicts on record.

use std::ops::ControlFlow;
use std::path::PathBuf;

use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::{FIRST_RULESET, RULESET};

use super::part::PartAsked;
use crate::cli::exit::Exit;
use crate::cli::interruption::Interruption;
use crate::cli::output::Document;
use crate::cli::progress::Progress;
use crate::cli::screen::{Screen, Tint};
use crate::cli::session::Session;
use crate::cli::table::{kept, spare};
use crate::config::{Config, Rules};
use crate::ledger::simulate::{OtherPolicy, Simulation, simulate};
use crate::storage::Access;
use crate::views::Moment;
use crate::views::simulation::{SimulationAsked, SimulationShown, in_words, outcome_word};

/// The rulesets that this program holds.
const RULESETS: [&str; 2] = [RULESET, FIRST_RULESET];

/// Which verdicts to ask, and what.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Simulate {
    /// A configuration file: its section `rules` is asked, and what that does not say has its default, not what is in force.
    /// Without it, the settings in force are.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    policy: Option<PathBuf>,
    /// Ask only verdicts of these rules. Others recorded what their own rules read, and are counted as not recorded.
    #[arg(long, value_name = "RULESET", value_parser = RULESETS)]
    ruleset: Option<String>,
    #[command(flatten)]
    part: PartAsked,
}

/// Asks, and writes nothing.
pub(super) async fn run(session: &mut Session<'_>, args: &Simulate) -> anyhow::Result<Exit> {
    let rules = match &args.policy {
        // Settings of the environment are those in force, and are not part of the question.
        Some(file) => Config::of_file(file, "--policy")?.rules,
        None => session.config.rules.clone(),
    };
    say_what_differs(session, &rules)?;
    let store = session.open_migrated(Access::Read).await?;
    let reader = store.reader();
    let now = reader.now().await?;
    let filter = args.part.filter(now);
    let question = OtherPolicy {
        policy: rules.policy(),
        ruleset: args.ruleset.clone(),
    };
    let mut found = Simulation::default();
    let mut progress = Progress::new(session.screen, "asking the ledger", 0).of("verdicts");
    let interruption = Interruption::default();
    let asking = simulate(&reader, filter, question, |passed, part| {
        found.add(part);
        progress.advance(passed);
        interruption.wish()
    });
    let heard = interruption.heed_during(asking).await;
    let elapsed_ms = progress.elapsed_ms();
    drop(progress);
    let complete = heard.is_ok() && interruption.wish() == ControlFlow::Continue(());
    let asked = SimulationAsked {
        policy: args.policy.as_ref().map(|file| file.display().to_string()),
        rules,
        ruleset: args.ruleset.clone(),
        workspace: args.part.workspace,
        since: filter.since.map(Moment),
        until: filter.until.map(Moment),
    };
    let shown = SimulationShown {
        complete,
        elapsed_ms,
        ..SimulationShown::new(Moment(now), asked, &found)
    };
    show(shown, session.screen)?;
    heard.map(|()| {
        if complete {
            Exit::Done
        } else {
            Exit::CouldNotRun
        }
    })
}

/// Says on standard error which settings are not those in force, so that none is lost unseen.
fn say_what_differs(session: &mut Session<'_>, rules: &Rules) -> anyhow::Result<()> {
    let asked = serde_json::to_value(rules)?;
    let in_force = serde_json::to_value(&session.config.rules)?;
    let settings = asked.as_object().into_iter().flatten();
    for (key, value) in settings.filter(|(key, value)| in_force.get(key.as_str()) != Some(*value)) {
        let known = in_force.get(key).unwrap_or(value);
        session
            .screen
            .note(&format!("asked with {key} = {value}; {known} is in force"));
    }
    Ok(())
}

fn show(shown: SimulationShown, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::LedgerSimulate(Box::new(shown)))?);
    }
    let read = quantity(shown.entries, "verdict");
    screen.tinted(
        Tint::Heading,
        &format!("Asked: {read}, each as of the moment at which it was reached"),
    )?;
    for (count, meaning) in [
        (shown.same, "would have had the same outcome and reason"),
        (
            shown.changed,
            "would have had others, or would have been open still",
        ),
        (
            shown.not_recorded,
            "cannot be answered from what was recorded",
        ),
        (shown.erased, "cannot be asked: their facts were erased"),
        (
            shown.unsound,
            "do not follow from their facts, and were not asked; see `ledger verify`",
        ),
    ] {
        if count > 0 {
            screen.line(&format!("  {count:>9} {meaning}"))?;
        }
    }
    if !shown.complete {
        screen.tinted(Tint::Notice, "It was ended before all was read.")?;
    }
    if !shown.reasons_not_recorded.is_empty() {
        screen.line("")?;
        screen.tinted(Tint::Heading, "Not recorded")?;
        for missing in &shown.reasons_not_recorded {
            screen.line(&format!("  {:>9} {}", missing.verdicts, missing.sentence))?;
        }
    }
    show_changes(&shown, screen)?;
    Ok(screen.line(CLAIM_BOUNDARY)?)
}

fn show_changes(shown: &SimulationShown, screen: &mut Screen) -> anyhow::Result<()> {
    if shown.changes.is_empty() {
        return Ok(());
    }
    if !shown.outcomes.is_empty() {
        screen.line("")?;
        screen.tinted(Tint::Heading, "By outcome")?;
        let rows = shown.outcomes.iter().map(|change| {
            [
                change.from.name().to_owned(),
                outcome_word(change.to).to_owned(),
                change.verdicts.to_string(),
            ]
        });
        screen.table(["ON RECORD", "WOULD HAVE BEEN", "VERDICTS"].map(kept), rows)?;
    }
    screen.line("")?;
    screen.tinted(Tint::Heading, "By reason")?;
    let rows = shown.changes.iter().map(|change| {
        let examples: Vec<_> = change
            .examples
            .iter()
            .map(|it| it.run.to_string())
            .collect();
        [
            in_words(change.from),
            in_words(change.to),
            change.verdicts.to_string(),
            examples.join(" "),
        ]
    });
    screen.table(
        [
            kept("ON RECORD"),
            kept("WOULD HAVE BEEN"),
            kept("VERDICTS"),
            spare(1, "RUNS, FOR EXAMPLE"),
        ],
        rows,
    )?;
    screen.line("")?;
    screen.tinted(Tint::Heading, "By workspace")?;
    let rows = shown.workspaces.iter().map(|it| {
        let id = it.workspace.to_string();
        [id, it.verdicts.to_string(), it.changed.to_string()]
    });
    screen.table(["WORKSPACE", "VERDICTS", "CHANGED"].map(kept), rows)?;
    if shown.workspaces_omitted > 0 {
        screen.line(&format!("and {} more", shown.workspaces_omitted))?;
    }
    screen.line("")?;
    Ok(())
}
