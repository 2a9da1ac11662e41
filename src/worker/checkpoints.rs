//! Makes the leaves of verdicts that have a position, and checkpoints of the tree, which it hands out: each is a log line, and is
//! added to a file and given to a program where the configuration names them. Nothing waits for whoever takes them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

use super::shared::{Checkpointing, Shared};
use crate::ledger::checkpoint::{ReadCheckpoint, note, origin_of};
use crate::storage::{CheckpointDue, CheckpointRow, Sealed, StoreError, TreeState};
use crate::tree::Edge;

/// How many leaves are made at once.
pub(super) const BATCH_LEAVES: u32 = 1_000;

/// How many are made at once where some are late: a batch has its cost, however many there are.
pub(super) const LATE_BATCH_LEAVES: u32 = 5_000;

/// How many checkpoints wait to be handed out. Later ones are of all verdicts before them, too.
pub(super) const WAITING_MAX: usize = 16;

/// How long handing one out may take, to a file or to a program.
const HANDED_OUT_WITHIN: Duration = Duration::from_secs(10);

/// How long what was made before may still be handed out once the process is to stop.
const HANDED_OUT_AFTER_STOP: Duration = Duration::from_secs(5);

/// How much of the end of a file is looked at for a checkpoint that it may have already.
const END_BYTES: u64 = 64 << 10;

/// How long until it is looked again for the latest checkpoint of before.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What to do where a key is another installation's.
const OTHER_KEY: &str = "make a key with `restore-reconciler ledger key`, name its file in [checkpoints] key_files, and start again";

/// What to do where a copy could not be kept.
pub(super) const ADVICE: &str =
    "it is on record: `restore-reconciler ledger checkpoints --notes` prints it";

/// Makes at most so many leaves, and a checkpoint where one is due. Nothing where something is in the way.
pub(super) async fn seal(shared: &Shared, leaves_max: u32) -> Result<Sealed, StoreError> {
    if shared.health.is_obstructed() || !shared.health.database_is_up() {
        return Ok(Sealed::default());
    }
    let Checkpointing { settings, signers } = &shared.options.checkpoints;
    let due = CheckpointDue {
        every: settings.every,
        verdicts: settings.verdicts,
    };
    let write = |state: &TreeState, edge: &Edge| {
        let origin = origin_of(&state.install_id);
        note(&origin, edge, signers)
    };
    let sealing = shared.store.seal(leaves_max, due, write);
    let limit = shared.options.worker.attempt_timeout;
    let Ok(sealed) = tokio::time::timeout(limit, sealing).await else {
        tracing::warn!(
            "making leaves of the tree over the ledger takes too long; it is tried again"
        );
        return Ok(Sealed::default());
    };
    let sealed = sealed?;
    if let Some(row) = &sealed.checkpoint {
        let keys = tell(row, "the tree over the ledger has a new checkpoint");
        if keys < signers.len() {
            tracing::warn!(
                advice = OTHER_KEY,
                "a checkpoint lacks signatures: keys are named of another installation, or one of them twice"
            );
        }
    }
    Ok(sealed)
}

/// Says in the log what the checkpoint is. How many keys signed it.
fn tell(row: &CheckpointRow, what: &'static str) -> usize {
    let CheckpointRow {
        size, root, note, ..
    } = row;
    let read = ReadCheckpoint::read(note);
    let signed_by = read
        .as_ref()
        .map(ReadCheckpoint::signers)
        .unwrap_or_default();
    tracing::info!(size, root, signed_by, note, "{what}");
    read.map_or(0, |read| read.keys.len())
}

/// Hands out the latest checkpoint of before, whose maker may have ended first, and what is made, until nobody makes any more.
/// Whoever is slow to take it does not keep the process from ending.
pub(super) async fn keep_handing_out(shared: Arc<Shared>, mut made: mpsc::Receiver<CheckpointRow>) {
    let handing_out = async {
        if let Some(latest) = latest(&shared).await {
            tell(
                &latest,
                "the latest checkpoint of the tree over the ledger is handed out again",
            );
            hand_out(&shared.options.checkpoints, latest.note).await;
        }
        while let Some(checkpoint) = made.recv().await {
            hand_out(&shared.options.checkpoints, checkpoint.note).await;
        }
    };
    let too_late = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(HANDED_OUT_AFTER_STOP).await;
    };
    tokio::select! {
        () = handing_out => {}
        () = too_late => {
            tracing::warn!(advice = ADVICE, "the latest checkpoints were not handed out before the end");
        }
    }
}

/// The latest checkpoint on record, once the database says which; none where there is none, or the process is to stop.
async fn latest(shared: &Shared) -> Option<CheckpointRow> {
    loop {
        // What may be another platform's is nobody's to hand out.
        if !shared.health.is_obstructed() && shared.health.database_is_up() {
            let reader = shared.store.reader();
            let found = tokio::select! {
                () = shared.stop.cancelled() => return None,
                found = reader.list_checkpoints(1) => found,
            };
            if let Ok(found) = found {
                return found.into_iter().next();
            }
        }
        // Others say why.
        shared.rest(LOOK_EVERY).await.ok()?;
    }
}

async fn hand_out(with: &Checkpointing, note: String) {
    for file in &with.settings.files {
        if let Err(error) = in_time(add_to(file.clone(), note.clone())).await {
            tracing::warn!(%error, file, advice = ADVICE, "a checkpoint could not be added to its file");
        }
    }
    if let Some((program, arguments)) = with.settings.command.split_first()
        && let Err(error) = in_time(give_to(program, arguments, &note)).await
    {
        tracing::warn!(%error, program, advice = ADVICE, "a checkpoint could not be given to its program");
    }
}

async fn in_time(handing_out: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let done = tokio::time::timeout(HANDED_OUT_WITHIN, handing_out).await;
    done.unwrap_or_else(|_| Err(io::Error::other("it took longer than ten seconds")))
}

/// Adds a checkpoint to a file, with an empty line after it, unless it has it already. A file can block for ever, a pipe that
/// nobody reads for one: so it is given a thread of its own, which takes none from settlements and keeps no process from ending.
async fn add_to(file: String, note: String) -> io::Result<()> {
    let (done, added) = oneshot::channel();
    let add = move || {
        if has(&file, &note)? {
            return Ok(());
        }
        let mut file = OpenOptions::new().append(true).create(true).open(file)?;
        file.write_all(format!("{note}\n").as_bytes())?;
        file.sync_all()
    };
    thread::Builder::new().spawn(move || done.send(add()))?;
    added.await.map_err(io::Error::other)?
}

/// Whether a checkpoint is among the last in a file. What is no file, such as a pipe, keeps nothing, and nobody knows of one that
/// may not be read.
fn has(file: &str, note: &str) -> io::Result<bool> {
    if !fs::metadata(file).is_ok_and(|found| found.is_file()) {
        return Ok(false);
    }
    let Ok(mut file) = File::open(file) else {
        return Ok(false);
    };
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).contains(&format!("{note}\n")))
}

/// Has a program read a checkpoint, with nothing of this process's environment, which holds secrets.
async fn give_to(program: &str, arguments: &[String], note: &str) -> io::Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        match input.write_all(note.as_bytes()).await {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {} // how it ends says what it made of that
        }
    }
    let status = child.wait().await?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("it ended with {status}")))
}
