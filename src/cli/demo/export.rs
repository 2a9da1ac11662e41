//! What was demonstrated, as an auditor gets it.
//!
//! On SQLite no tree is kept over the ledger. So one is made of all verdicts at once, by the code that a worker makes it with,
//! and signed with a key that is made for it and forgotten.

use std::collections::BTreeMap;
use std::io::{Seek, Write};
use std::pin::pin;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use reconciler_jobs::ids::{RunId, WorkspaceId};

use crate::ledger::checkpoint::{CheckpointSigner, NewKey, note, origin_of};
use crate::ledger::export::{ExportWriter, ExportedCheckpoints, entry_of};
use crate::ledger::proofs::LeafProofs;
use crate::storage::LedgerPlace;
use crate::storage::reader::{LedgerFilter, LedgerParts, LedgerRow, Reader};
use crate::tree::Edge;

/// What the installation is called that nobody has.
const INSTALLATION: &str = "demo";

/// Writes the verdicts of the workspace that has most of them. The public key of whoever signed them.
pub(super) async fn export_demo(reader: &Reader, to: impl Write + Seek) -> anyhow::Result<String> {
    let rows = all_rows(reader).await?;
    let workspace = busiest(&rows).context("nothing was decided")?;
    let origin = origin_of(INSTALLATION);
    let key = NewKey::make(&origin);
    let signer = CheckpointSigner::read(&key.private)?;
    let size = rows.len() as u64;
    let mut proofs = LeafProofs::between(vec![size.div_ceil(2), size]);
    let (mut edge, mut notes) = (Edge::default(), String::new());
    let mut places = Vec::new();
    let mut latest: BTreeMap<WorkspaceId, (i64, String)> = BTreeMap::new();
    for row in rows {
        let of = row.workspace;
        let place = place_of(row, edge.size(), latest.remove(&of))?;
        let leaf = place.make_leaf(place.previous_leaf.clone(), place.facts_seal.clone())?;
        latest.insert(of, (place.workspace_position, hex::encode(leaf)));
        proofs.push(leaf, of == workspace);
        edge.push(leaf);
        if edge.size() == size.div_ceil(2) || edge.size() == size {
            notes +=
                &note(&origin, &edge, std::slice::from_ref(&signer)).context("no checkpoint")?;
            notes.push('\n');
        }
        places.extend(Some(place).filter(|_| of == workspace));
    }
    let mut made = proofs.finish().context("no proofs")?;
    let checkpoints = ExportedCheckpoints {
        notes,
        size,
        consistency: std::mem::take(&mut made.between),
    };
    let of = (origin, workspace.to_string());
    let mut export = ExportWriter::begin(to, of, None, checkpoints)?;
    for (place, proof) in places.iter().zip(made.leaves()) {
        export.add(&entry_of(place, &proof)?, true)?;
    }
    export.finish()?.0.flush()?;
    Ok(key.public)
}

/// All verdicts, in the order in which they were reached.
async fn all_rows(reader: &Reader) -> anyhow::Result<Vec<LedgerRow>> {
    let all = LedgerFilter::default();
    let mut parts = pin!(reader.walk_ledger(all, RunId(i64::MAX), LedgerParts::Judged));
    let mut rows = Vec::new();
    while let Some(part) = parts.try_next().await? {
        rows.extend(part.entries.into_iter().map(|entry| entry.row));
    }
    rows.sort_by_key(|row| (row.verdict.decided_at, row.verdict.run));
    Ok(rows)
}

fn busiest(rows: &[LedgerRow]) -> Option<WorkspaceId> {
    let mut counts: BTreeMap<WorkspaceId, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.workspace).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(workspace, _)| workspace)
}

/// Where a verdict would stand after so many others, and after the latest of its workspace.
fn place_of(
    mut row: LedgerRow,
    before: u64,
    latest: Option<(i64, String)>,
) -> anyhow::Result<LedgerPlace> {
    let (number, previous_leaf) = latest.unzip();
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    row.position = Some(i64::try_from(before)? + 1);
    let mut place = LedgerPlace {
        row,
        has_position: true,
        is_there: true,
        workspace_position: number.unwrap_or(0) + 1,
        previous_leaf,
        salt: Some(hex::encode(salt)),
        leaf: None,
        facts_seal: None,
        erased_at: None,
    };
    place.facts_seal = place.make_seal();
    Ok(place)
}
