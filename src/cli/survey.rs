//! `doctor --survey`: whether a platform speaks the words that the rules know.

use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::survey::{LegTally, SurveyFinding, WordTally};

use super::exit::Exit;
use super::output::{Document, Surveyed};
use super::screen::{Screen, Tint};
use super::session::Session;
use super::table::{kept, spare};
use crate::views::ClaimBoundary;

/// How many words are listed in a table; a document has them all.
const WORDS_LISTED_MAX: usize = 100;

/// Surveys the latest restores that ended, and shows what was found. Needs nothing but to read the platform's tables.
pub(super) async fn run(session: &mut Session<'_>, last: u32) -> anyhow::Result<Exit> {
    let store = session.open_to_observe().await?;
    let policy = session.config.rules.policy();
    let tally = store.survey_restores(&policy, last, true).await?;
    let shift = store.find_shift().await?;
    let shift = shift.map(|distrust| format!("{distrust}."));
    let surveyed = Surveyed {
        report: tally.report(&policy, &session.config.survey.accepted, shift),
        claim_boundary: ClaimBoundary::default(),
    };
    let exit = if surveyed.report.findings.iter().all(|it| it.accepted) {
        Exit::Done
    } else {
        Exit::ProblemFound
    };
    show(surveyed, session.screen)?;
    Ok(exit)
}

fn show(surveyed: Surveyed, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::DoctorSurvey(surveyed))?);
    }
    let report = &surveyed.report;
    screen.line(&format!(
        "Restores that ended and were looked at: {}.",
        report.restores
    ))?;
    if report.unreadable > 0 {
        screen.line(&format!(
            "The database would not hand over {} more.",
            report.unreadable
        ))?;
    }
    screen.table(
        ["LEG", "TOLD OF", "HELD", "DID NOT HOLD FOR"].map(kept),
        report.legs.iter().map(leg_row),
    )?;
    let listed = report.words.iter().take(WORDS_LISTED_MAX);
    screen.table(
        [
            kept("WORD"),
            kept("SEEN AS"),
            kept("RESTORES"),
            kept("TAKEN FOR"),
            spare(1, "TAUGHT BY"),
        ],
        listed.map(word_row),
    )?;
    let left_out = report.words.len().saturating_sub(WORDS_LISTED_MAX);
    if left_out > 0 {
        screen.line(&format!("{left_out} more words are in `--output json`."))?;
    }
    if report.words_left_out > 0 {
        screen.line(&format!(
            "{} more sightings are of words that are too many, or that have not the form of a name and are not shown.",
            report.words_left_out
        ))?;
    }
    for finding in &report.findings {
        show_finding(finding, screen)?;
    }
    if report.findings.is_empty() {
        screen.line(if report.unreadable > 0 {
            "Nothing is suspicious of those that could be read."
        } else {
            "Nothing is suspicious."
        })?;
    }
    screen.line(CLAIM_BOUNDARY)?;
    Ok(())
}

fn show_finding(found: &SurveyFinding, screen: &mut Screen) -> anyhow::Result<()> {
    let (tint, note) = if found.accepted {
        (Tint::Notice, " The configuration accepts it.")
    } else if found.answers.is_empty() {
        (Tint::Bad, "")
    } else {
        (
            Tint::Bad,
            " What may answer it; of a list, keep the words that mean it:",
        )
    };
    screen.tinted(tint, &format!("{}{note}", found.finding))?;
    for answer in found.answers.iter().filter(|_| !found.accepted) {
        screen.verbatim(&format!("    {} = {}", answer.key, answer.value))?;
    }
    Ok(())
}

fn leg_row(tally: &LegTally) -> [String; 4] {
    let gaps = tally.gaps.iter();
    let gaps: Vec<String> = gaps
        .map(|(gap, restores)| format!("{} {restores}", gap.code()))
        .collect();
    [
        tally.leg.name().to_owned(),
        tally.told.to_string(),
        tally.held.to_string(),
        gaps.join("\n"),
    ]
}

fn word_row(tally: &WordTally) -> [String; 5] {
    let unknown = tally.meaning.is_none();
    [
        tally.word.clone(),
        tally.kind.label().to_owned(),
        tally.restores.to_string(),
        tally
            .meaning
            .clone()
            .unwrap_or_else(|| "unknown".to_owned()),
        tally
            .kind
            .key()
            .filter(|_| unknown)
            .unwrap_or_default()
            .to_owned(),
    ]
}
