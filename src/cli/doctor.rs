//! `doctor`: looks at the database before anybody trusts it.

use anyhow::Error;

use super::exit::Exit;
use super::failure;
use super::output::{CheckShown, Document, Examined, LevelWord};
use super::screen::{Output, Screen, Tint};
use super::session::Session;
use crate::doctor;
use crate::storage::Access;

/// Shows what was found, problems first. That the database cannot be reached is one of them; that
/// none is named is a failure of the command.
pub(super) async fn run(session: &mut Session<'_>) -> anyhow::Result<Exit> {
    session.database_url()?;
    let mut checks = match examine(session).await {
        Ok(checks) => checks,
        Err(error) => vec![unreachable(&error)],
    };
    checks.sort_by_key(|check| check.level);
    let exit = if checks.iter().any(|check| check.level == LevelWord::Problem) {
        Exit::ProblemFound
    } else {
        Exit::Done
    };
    show(Examined { checks }, session.screen)?;
    Ok(exit)
}

async fn examine(session: &Session<'_>) -> anyhow::Result<Vec<CheckShown>> {
    let store = session.connect(Access::Read).await?;
    let checks = doctor::examine(&store).await?;
    Ok(checks.into_iter().map(CheckShown::from).collect())
}

fn unreachable(error: &Error) -> CheckShown {
    CheckShown {
        level: LevelWord::Problem,
        subject: "connection".to_owned(),
        finding: failure::causes(error).join(": "),
        action: failure::known_advice_for(error),
    }
}

fn show(examined: Examined, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output == Output::Json {
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
            .filter(|check| check.level == level)
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
    screen.line(&format!(
        "Things looked at: {looked_at}; problems: {problems}."
    ))?;
    Ok(())
}

/// The action stands on lines of its own, so that it can be copied as it is.
fn show_check(check: &CheckShown, screen: &mut Screen) -> anyhow::Result<()> {
    screen.line(&format!("  {}: {}", check.subject, check.finding))?;
    if let Some(action) = &check.action {
        for line in action.lines() {
            screen.line(&format!("    {line}"))?;
        }
    }
    Ok(())
}
