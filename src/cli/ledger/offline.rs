//! `ledger verify --offline`: an export, checked without the database that it is of.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context as _;
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Document, ExportVerified};
use crate::cli::screen::{Screen, Tint};
use crate::ledger::checkpoint::{PinnedKey, SignatureState};
use crate::ledger::offline::{ExportChecked, ExportFinding, ExportPart, check_export};
use crate::views::ClaimBoundary;

/// Checks it. The exit code is 3 where something disagrees.
pub(super) fn run(screen: &mut Screen, file: &Path, pinned: &[PinnedKey]) -> anyhow::Result<Exit> {
    let shown = file.display().to_string();
    let opened = File::open(file).with_context(|| {
        Failure::new(
            format!("{shown} cannot be read"),
            "Name the file of an export of the ledger.",
        )
    })?;
    let checked = check_export(BufReader::new(opened), pinned);
    let exit = if checked.findings.is_empty() {
        Exit::Done
    } else {
        Exit::ProblemFound
    };
    if screen.output.is_json() {
        screen.json(&Document::LedgerVerifyOffline(ExportVerified {
            file: shown,
            checked,
            claim_boundary: ClaimBoundary::default(),
        }))?;
    } else {
        show(&checked, screen)?;
    }
    Ok(exit)
}

fn show(checked: &ExportChecked, screen: &mut Screen) -> anyhow::Result<()> {
    // Counts of a file that cannot be read to its end are of a part of it.
    let is_read = !checked
        .findings
        .iter()
        .any(|it| it.about == ExportPart::Archive);
    let whose = checked.origin.as_ref().zip(checked.workspace.as_ref());
    if let Some((origin, workspace)) = whose.filter(|_| is_read) {
        let verdicts = quantity(checked.verdicts, "verdict");
        screen.line(&format!(
            "Read: {verdicts} of workspace {workspace} of {origin}"
        ))?;
        screen.line(&format!("{:>11} without their facts", checked.erased))?;
        screen.line(&format!(
            "{:>11} gone before their leaf was made",
            checked.absent
        ))?;
        let by = checked.signed_by.join(", ");
        let signature = match checked.signature {
            SignatureState::Verified => format!("verified: signed by {by}"),
            SignatureState::Unsigned => "unsigned: nothing shows who made this export".to_owned(),
            SignatureState::Forged => "not signed by whom it names".to_owned(),
            SignatureState::Unchecked | SignatureState::OtherKey => format!(
                "said to be signed by {by}, which is no key that you named: nothing shows who made this export"
            ),
        };
        let size = checked.size;
        screen.line(&format!(
            "The last checkpoint, of {size} leaves, is {signature}."
        ))?;
    }
    if let Some(since) = checked.since.as_ref().filter(|_| is_read) {
        screen.line(&format!(
            "It begins later than its workspace, it says since {since}: verdicts before its first are not in it."
        ))?;
    }
    for ExportFinding { line, finding, .. } in &checked.findings {
        let line = line.map_or_else(String::new, |line| {
            format!("line {line} of verdicts.jsonl: ")
        });
        screen.tinted(Tint::Bad, &format!("disagrees: {line}{finding}"))?;
    }
    if checked.findings.is_empty() {
        screen.line(
            "Nothing disagrees. Verdicts left out after the last one cannot be seen from the file, and its report is not checked.",
        )?;
    }
    Ok(screen.line(CLAIM_BOUNDARY)?)
}
