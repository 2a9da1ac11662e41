//! `doctor`: looks at the database before anybody trusts it.

use std::ops::ControlFlow;

use anyhow::Error;
use clap::ValueEnum as _;
use reconciler_jobs::restore_execute::record::Source;

use super::exit::Exit;
use super::failure;
use super::output::{CheckShown, Document, Examined, LevelWord};
use super::screen::{Screen, Tint};
use super::session::Session;
use super::survey;
use crate::clock;
use crate::doctor::{self, Check, Examination, Level, Purpose};
use crate::storage::{Access, SURVEYED};
use crate::sweep::{self, Scope};

/// What to look for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the role is for, and so what it needs; by default, what it can be told to be for from what it may do.
    #[arg(long = "as", value_enum, value_name = "PURPOSE")]
    purpose: Option<Purpose>,
    /// Also settle up to 20 due runs for real, say what the database would refuse, and undo it.
    #[arg(long)]
    rehearse: bool,
    /// Look at the latest restores that ended instead: how often each leg of their proof held, and which words were seen.
    #[arg(long, conflicts_with_all = ["purpose", "rehearse"])]
    survey: bool,
    /// At so many of them.
    #[arg(
        long,
        value_name = "N",
        requires = "survey",
        default_value_t = SURVEYED,
        value_parser = clap::value_parser!(u32).range(1..=5_000)
    )]
    last: u32,
}

/// Shows what was found, problems first, and what is well if that was asked for. That the database cannot be reached is
/// one of them; that
/// none is named is a failure of the command.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    session.database_url()?;
    if args.survey {
        return survey::run(session, args.last).await;
    }
    if args.rehearse {
        session.may_rehearse()?;
    }
    let mut examined = match examine(session, args).await {
        Ok(examined) => examined,
        Err(error) => Examined {
            purpose: args.purpose,
            checks: vec![unreachable(&error)],
        },
    };
    examined.checks.sort_by_key(|check| check.level);
    let exit = if examined
        .checks
        .iter()
        .any(|check| check.level == LevelWord::Problem)
    {
        Exit::ProblemFound
    } else {
        Exit::Done
    };
    show(examined, session)?;
    Ok(exit)
}

async fn examine(session: &Session<'_>, args: &Args) -> anyhow::Result<Examined> {
    let store = session.connect(Access::Read).await?;
    let observes = !session.config.settling.admission().acts;
    let purpose = args.purpose.or(observes.then_some(Purpose::Observer));
    let examination = doctor::examine(&store, purpose).await?;
    let Examination {
        purpose,
        mut checks,
    } = examination;
    if args.rehearse {
        checks.extend(rehearse(session).await?);
    }
    if purpose != Some(Purpose::Platform) {
        let keys = session.config.preparation.keys();
        checks.extend(doctor::examine_metadata(&store, &keys).await);
    }
    let ends = session.config.console.token_ends(clock::wall());
    checks.extend(ends.into_iter().map(|finding| Check {
        subject: "token".to_owned(),
        level: Level::Advice,
        finding,
        action: Some("restore-reconciler token NAME, and a SIGHUP to `serve`".to_owned()),
    }));
    let exposed = session.config.checkpoints.exposed_keys();
    checks.extend(exposed.map(|(file, mode)| Check {
        subject: "checkpoint key".to_owned(),
        level: Level::Problem,
        finding: format!(
            "The key in {file} is no secret: its mode {mode} lets others read it, or change it."
        ),
        action: Some(format!(
            "chmod 600 {file}, or mount it with mode 0440, in Kubernetes by `defaultMode: 0440`"
        )),
    }));
    Ok(Examined {
        purpose,
        checks: checks.into_iter().map(CheckShown::from).collect(),
    })
}

/// Nothing is written into a schema that may mean something else by the same names, not even to be undone.
async fn rehearse(session: &Session<'_>) -> anyhow::Result<Vec<Check>> {
    let store = session.connect(Access::Write).await?;
    if store.schema_version().await.ok().flatten() != Some(store.schema_version_known()) {
        return Ok(vec![doctor::judge_other_schema()]);
    }
    let scope = Scope {
        limit: Some(doctor::REHEARSED_MAX),
        ..Scope::default()
    };
    let mut settled = Vec::new();
    let settling = session.settling(Source::Sweep);
    let rehearsed = sweep::rehearse(&store, scope, &settling, |page| {
        settled.extend_from_slice(page);
        ControlFlow::Continue(())
    });
    if let Err(error) = rehearsed.await {
        return Ok(vec![doctor::judge_no_rehearsal(&error)]);
    }
    Ok(doctor::judge_rehearsal(&settled))
}

fn unreachable(error: &Error) -> CheckShown {
    CheckShown {
        level: LevelWord::Problem,
        subject: "connection".to_owned(),
        finding: failure::causes(error).join(": "),
        action: failure::known_advice_for(error),
    }
}

fn show(examined: Examined, session: &mut Session<'_>) -> anyhow::Result<()> {
    let is_verbose = session.is_verbose;
    let is_asked_for = |check: &CheckShown| {
        check.level != LevelWord::Good || is_verbose || check.subject == doctor::REHEARSAL
    };
    let screen = &mut *session.screen;
    if screen.output.is_json() {
        return Ok(screen.json(&Document::Doctor(examined))?);
    }
    let groups = [
        (LevelWord::Problem, Tint::Bad, "Problems"),
        (LevelWord::Advice, Tint::Notice, "Advice"),
        (LevelWord::Good, Tint::Good, "Good"),
    ];
    for (level, tint, heading) in groups {
        let checks: Vec<_> = examined
            .checks
            .iter()
            .filter(|check| check.level == level && is_asked_for(check))
            .collect();
        if !checks.is_empty() {
            screen.tinted(tint, &format!("{heading} ({})", checks.len()))?;
            for check in checks {
                show_check(check, screen)?;
            }
            screen.line("")?;
        }
    }
    let problems = examined
        .checks
        .iter()
        .filter(|check| check.level == LevelWord::Problem)
        .count();
    let looked_at = examined.checks.len();
    let hint = if is_verbose {
        ""
    } else {
        " `--verbose` lists what is well."
    };
    let purpose = examined.purpose.and_then(|it| it.to_possible_value());
    let role = purpose.map_or_else(String::new, |it| {
        format!("; the role was judged as {}", it.get_name())
    });
    screen.line(&format!(
        "Things looked at: {looked_at}; problems: {problems}{role}.{hint}"
    ))?;
    Ok(())
}

fn show_check(check: &CheckShown, screen: &mut Screen) -> anyhow::Result<()> {
    screen.line(&format!("  {}: {}", check.subject, check.finding))?;
    if let Some(action) = &check.action {
        for line in action.lines() {
            screen.action(line)?;
        }
    }
    Ok(())
}
