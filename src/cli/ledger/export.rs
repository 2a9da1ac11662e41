//! `ledger export`: the verdicts of a workspace in a file that needs no database.
//!
//! The leaves are passed for the way of each verdict to the root, and then the verdicts of the workspace. So no more is in
//! memory than the nodes that the proofs are made of, each once, and the lines of the report.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::pin::pin;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Document, LedgerExported};
use crate::cli::screen::{Screen, Tint};
use crate::cli::session::Session;
use crate::cli::since::Since;
use crate::ledger::checkpoint::ReadCheckpoint;
use crate::ledger::export::{ExportWriter, ExportedCheckpoints, entry_of};
use crate::ledger::exported::Manifest;
use crate::ledger::leaves::{disagreement_of, leaf_again};
use crate::ledger::proofs::{LeafProofs, MadeProofs};
use crate::ledger::verify::{Compared, Disagreement, FACTS_LOST};
use crate::storage::reader::Reader;
use crate::storage::{Access, CheckpointRow, LedgerPlace, hash_of};
use crate::views::ClaimBoundary;

/// How many checkpoints go into an export, the latest.
const CHECKPOINTS_MAX: u32 = 100;

/// How many disagreements are named.
const DISAGREEMENTS_MAX: usize = 10_000;

/// What to export, and where to.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExportAsked {
    /// The workspace.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: i64,
    /// From the first verdict on that was decided then or later: a moment such as `2026-11-01T00:00:00Z`, or an age such as
    /// `36h` or `7d`.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// The file to write, which must not be there yet. Nobody else may read it.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// The verdicts that are asked for: those of a workspace from its `first` place on, among the first leaves. So none is left out
/// between.
#[derive(Clone, Copy)]
struct ExportScope {
    workspace: WorkspaceId,
    since: Option<Timestamp>,
    first: i64,
    size: i64,
}

/// Writes the file, or leaves none.
pub(super) async fn run(session: &mut Session<'_>, args: &ExportAsked) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Read).await?;
    let reader = store.reader();
    let now = reader.now().await?;
    let mut checkpoints = reader.list_checkpoints(CHECKPOINTS_MAX).await?;
    checkpoints.reverse();
    let last = checkpoints.last().ok_or_else(|| {
        Failure::new(
            "there is no checkpoint, to which the proofs of an export lead",
            "On PostgreSQL a worker makes one within [checkpoints] every; on SQLite there are none.",
        )
    })?;
    let workspace = WorkspaceId(args.workspace);
    let since = args.since.map(|since| since.before(now));
    let first = match since {
        None => Some(1),
        Some(since) => reader.first_place(workspace, since).await?,
    };
    let exported = ExportScope {
        workspace,
        since,
        first: first.unwrap_or(i64::MAX),
        size: last.size,
    };
    let mut found = Disagreements::default();
    let proofs = prove(&reader, exported, &checkpoints, last, &mut found).await?;
    let file = args.to.display().to_string();
    let unwritten = || {
        Failure::new(
            format!("the export cannot be written to {file}"),
            "Name a file that is not there yet, in a directory that is and has room; of a large workspace, a later --since.",
        )
    };
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600);
    let opened = opened.open(&args.to).with_context(unwritten)?;
    let file_of = (BufWriter::new(opened), &unwritten);
    let written = write(&reader, exported, &checkpoints, proofs, file_of, &mut found).await;
    let manifest = written.inspect_err(|_| {
        // What is half written shows nothing, and the error matters more than what is left of it.
        let _ = fs::remove_file(&args.to);
    })?;
    let signed_by = ReadCheckpoint::read(&last.note).map_or_else(Vec::new, |read| read.keys);
    show(file, manifest, found, signed_by, session.screen)
}

/// What is on record in two ways.
#[derive(Default)]
struct Disagreements {
    count: u64,
    named: Vec<Disagreement>,
}

impl Disagreements {
    fn push(&mut self, found: Disagreement) {
        self.count += 1;
        if self.named.len() < DISAGREEMENTS_MAX {
            self.named.push(found);
        }
    }
}

/// The proof of each verdict that is asked for, in their order, and of each checkpoint.
async fn prove(
    reader: &Reader,
    exported: ExportScope,
    checkpoints: &[CheckpointRow],
    last: &CheckpointRow,
    found: &mut Disagreements,
) -> anyhow::Result<MadeProofs> {
    let sizes = checkpoints.iter().map(|it| it.size.unsigned_abs());
    let mut proofs = LeafProofs::between(sizes.collect());
    let mut passed = 0;
    while passed < exported.size {
        let leaves = reader.load_leaves(passed, exported.size).await?;
        passed = leaves.last().ok_or_else(changed)?.position;
        for row in leaves {
            let leaf = hash_of(&row.leaf).ok_or_else(changed)?;
            if !row.is_placed() {
                found.push(without_position(row.position));
            }
            proofs.push(leaf, row.is_of(exported.workspace, exported.first));
        }
    }
    let proofs = proofs.finish().ok_or_else(changed)?;
    if Some(proofs.root) != hash_of(&last.root) {
        return Err(changed().into());
    }
    if proofs.leaves().len() == 0 {
        let workspace = exported.workspace;
        return Err(Failure::new(
            format!("the latest checkpoint is of no such verdict of workspace {workspace}"),
            "`restore-reconciler ledger list` says what is on record; new verdicts are in the next checkpoint.",
        )
        .into());
    }
    Ok(proofs)
}

fn changed() -> Failure {
    Failure::new(
        "the leaves are not those of the latest checkpoint, so nothing can be proven by it",
        "`restore-reconciler ledger verify` names what was changed.",
    )
}

fn without_position(position: i64) -> Disagreement {
    Disagreement {
        about: Compared::Tree,
        run: None,
        workspace: None,
        decision_id: None,
        finding: format!(
            "the verdict at position {position} is gone, with its position: it may have been of this workspace"
        ),
        changed_after: None,
    }
}

/// That the facts of a verdict are gone, and nobody noted to have erased them.
fn without_facts(place: &LedgerPlace) -> Option<Disagreement> {
    place.lost_facts().then(|| Disagreement {
        about: Compared::Facts,
        run: Some(place.row.verdict.run.0),
        workspace: Some(place.row.workspace.0),
        decision_id: Some(place.row.verdict.decision_id.clone()),
        finding: FACTS_LOST.to_owned(),
        changed_after: None,
    })
}

async fn write(
    reader: &Reader,
    exported: ExportScope,
    checkpoints: &[CheckpointRow],
    mut proofs: MadeProofs,
    (file, unwritten): (BufWriter<File>, &impl Fn() -> Failure),
    found: &mut Disagreements,
) -> anyhow::Result<Manifest> {
    let last = checkpoints
        .last()
        .and_then(|it| ReadCheckpoint::read(&it.note));
    let last = last.ok_or_else(changed)?;
    let notes: Vec<&str> = checkpoints.iter().map(|it| it.note.as_str()).collect();
    let exported_checkpoints = ExportedCheckpoints {
        notes: notes.join("\n") + "\n",
        size: last.size,
        consistency: std::mem::take(&mut proofs.between),
    };
    let mut export = ExportWriter::begin(
        file,
        (last.origin, exported.workspace.to_string()),
        exported.since.map(|since| since.to_string()),
        exported_checkpoints,
    )
    .with_context(unwritten)?;
    let mut proofs = proofs.leaves();
    let ExportScope {
        workspace,
        first,
        size,
        ..
    } = exported;
    let mut parts = pin!(reader.walk_exported(workspace, first, size));
    while let Some(places) = parts.try_next().await? {
        for place in places {
            let proof = proofs.next().ok_or_else(changed)?;
            let doubt = disagreement_of(&place, leaf_again(&place));
            let follows = doubt.is_none();
            if let Some(doubt) = doubt.or_else(|| without_facts(&place)) {
                found.push(doubt);
            }
            export
                .add(&entry_of(&place, &proof)?, follows)
                .with_context(unwritten)?;
        }
    }
    if proofs.next().is_some() {
        return Err(changed().into());
    }
    let (mut written, manifest) = export.finish().with_context(unwritten)?;
    let flushed = written.flush().and_then(|()| written.get_ref().sync_all());
    flushed.with_context(unwritten)?;
    Ok(manifest)
}

fn show(
    file: String,
    manifest: Manifest,
    found: Disagreements,
    signed_by: Vec<String>,
    screen: &mut Screen,
) -> anyhow::Result<Exit> {
    let Manifest {
        workspace,
        since,
        verdicts,
        erased,
        size,
        ..
    } = manifest;
    let exported = LedgerExported {
        file,
        workspace,
        since,
        verdicts,
        erased,
        size,
        signed_by,
        disagree: found.count,
        disagreements: found.named,
        claim_boundary: ClaimBoundary::default(),
    };
    let exit = match exported.disagree {
        0 => Exit::Done,
        _ => Exit::ProblemFound,
    };
    if screen.output.is_json() {
        screen.json(&Document::LedgerExport(exported))?;
    } else {
        tell(&exported, screen)?;
    }
    Ok(exit)
}

fn tell(exported: &LedgerExported, screen: &mut Screen) -> io::Result<()> {
    for disagreement in &exported.disagreements {
        screen.tinted(Tint::Bad, &disagreement.sentence())?;
    }
    let LedgerExported {
        file,
        workspace,
        erased,
        size,
        disagree,
        ..
    } = exported;
    screen.line(&format!(
        "{} of workspace {workspace} in {file}, {erased} of them without their facts.",
        quantity(exported.verdicts, "verdict")
    ))?;
    if *disagree > 0 {
        let disagree = quantity(*disagree, "disagreement");
        let changed = "the ledger was changed, and the file holds what it says now";
        screen.line(&format!("{disagree}: {changed}."))?;
    }
    let signature = if exported.signed_by.is_empty() {
        "which is unsigned: nothing shows who made the export".to_owned()
    } else {
        format!("signed by {}", exported.signed_by.join(", "))
    };
    screen.line(&format!(
        "Their proofs lead to the checkpoint of {size} verdicts, {signature}."
    ))?;
    screen.line("Whoever gets it checks it with `restore-reconciler ledger verify --offline FILE`, or with config/auditor/verify.py.")?;
    screen.line(CLAIM_BOUNDARY)
}
