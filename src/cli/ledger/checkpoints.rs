//! `ledger checkpoints` and `ledger key`: roots of the tree over the ledger, and who signs them.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{CheckpointShown, CheckpointsListed, Document, KeyMade};
use crate::cli::session::Session;
use crate::cli::table::{kept, spare};
use crate::ledger::checkpoint::{NewKey, PinnedKey, ReadCheckpoint, origin_of, read_notes};
use crate::ledger::leaves::TreeCheck;
use crate::storage::Access;
use crate::storage::reader::Reader;
use crate::views::Moment;

/// The most that is read of a file of checkpoints.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Which checkpoints to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckpointsAsked {
    /// At most so many, the latest.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Print them as they are kept in a file, for `ledger verify --checkpoint`.
    #[arg(long)]
    notes: bool,
}

/// Where to put a new key.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct KeyAsked {
    /// The file for the private key, which must not be there yet. Nobody else may read it.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// What the tree is compared with.
#[derive(Debug, clap::Args)]
pub(super) struct KeptAsked {
    /// Compare with the checkpoints in this file, which were kept elsewhere.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workspace", "since", "until"])]
    checkpoint: Option<PathBuf>,
    /// A public key that signs checkpoints; may be repeated. The latest must be signed by one of these; others show nothing.
    #[arg(long, value_name = "PUB", value_parser = key, conflicts_with_all = ["workspace", "since", "until"])]
    key: Vec<PinnedKey>,
}

fn key(text: &str) -> Result<PinnedKey, &'static str> {
    let read = PinnedKey::read(text);
    read.map_err(|_| "it must be a public key as `ledger key` prints it: NAME+ID+KEY")
}

impl KeptAsked {
    /// The keys whose signatures count.
    pub(super) fn keys(&self) -> &[PinnedKey] {
        &self.key
    }

    /// Whether checkpoints from elsewhere are to be compared with.
    pub(super) fn is_from_elsewhere(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// The check of the whole tree. None where there is none, which fails if something was to be compared with it.
    pub(super) async fn tree(&self, reader: &Reader) -> anyhow::Result<Option<TreeCheck>> {
        let Some(id) = reader.install_id().await? else {
            if self.checkpoint.is_none() {
                return Ok(None);
            }
            return Err(nothing_here().into());
        };
        let kept = match &self.checkpoint {
            None => Vec::new(),
            Some(path) => {
                let unread = || {
                    Failure::new(
                        format!("no checkpoints can be read from {}", path.display()),
                        "Name the file in which they were kept; `restore-reconciler ledger checkpoints --notes` writes one.",
                    )
                };
                let mut text = String::new();
                let file = File::open(path).with_context(unread)?;
                let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
                if read.with_context(unread)? as u64 > FILE_BYTES_MAX {
                    return Err(too_long(path).into());
                }
                let kept = read_notes(&text);
                if kept.iter().all(Option::is_none) {
                    return Err(unread().into());
                }
                kept
            }
        };
        Ok(Some(TreeCheck::new(origin_of(&id), kept, self.key.clone())))
    }
}

fn too_long(path: &Path) -> Failure {
    Failure::new(
        format!(
            "{} is longer than the 256 MiB of checkpoints that are read",
            path.display()
        ),
        "Name a file of the later ones alone: each is of all verdicts before it.",
    )
}

fn nothing_here() -> Failure {
    Failure::new(
        "this database has no tree over its ledger",
        "On SQLite verdicts have no positions; on PostgreSQL run `restore-reconciler migrate` first.",
    )
}

/// Lists those on record.
pub(super) async fn list(
    session: &mut Session<'_>,
    args: &CheckpointsAsked,
) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Read).await?;
    let reader = store.reader();
    let as_of = Moment(reader.now().await?);
    let mut rows = reader.list_checkpoints(args.limit).await?;
    let screen = &mut *session.screen;
    if args.notes {
        rows.reverse();
        for row in rows {
            for line in row.note.lines() {
                screen.verbatim(line)?;
            }
            screen.verbatim("")?;
        }
        return Ok(Exit::Done);
    }
    let shown = rows.into_iter().map(|row| CheckpointShown {
        size: row.size,
        root: row.root,
        made_at: Moment(row.made_at),
        signed_by: ReadCheckpoint::read(&row.note).map_or_else(Vec::new, |read| read.keys),
        note: row.note,
    });
    let checkpoints: Vec<_> = shown.collect();
    if screen.output.is_json() {
        let listed = CheckpointsListed { as_of, checkpoints };
        screen.json(&Document::LedgerCheckpoints(listed))?;
        return Ok(Exit::Done);
    }
    if checkpoints.is_empty() {
        screen.line("There is no checkpoint yet. On PostgreSQL a worker makes them; on SQLite there are none.")?;
        return Ok(Exit::Done);
    }
    screen.table(
        [
            kept("VERDICTS"),
            kept("MADE"),
            kept("SIGNED BY"),
            spare(1, "ROOT"),
        ],
        checkpoints.iter().map(|it| {
            let signed_by = it.signed_by.join(", ");
            let unsigned = signed_by.is_empty().then(|| "unsigned".to_owned());
            [
                it.size.to_string(),
                it.made_at.age(&as_of),
                unsigned.unwrap_or(signed_by),
                it.root.clone(),
            ]
        }),
    )?;
    Ok(Exit::Done)
}

/// Makes a key for checkpoints of this installation.
pub(super) async fn make_key(session: &mut Session<'_>, args: &KeyAsked) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Read).await?;
    let id = store
        .reader()
        .install_id()
        .await?
        .ok_or_else(nothing_here)?;
    let key = NewKey::make(&origin_of(&id));
    let file = args.to.display().to_string();
    let unwritten = || {
        Failure::new(
            format!("the private key cannot be written to {file}"),
            "Name a file that is not there yet, in a directory that is.",
        )
    };
    // Whoever is quicker to make it is not followed, and nobody else reads it.
    let mut options = OpenOptions::new();
    let made = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&args.to);
    let mut made = made.with_context(unwritten)?;
    let written = writeln!(made, "{}", key.private).and_then(|()| made.sync_all());
    written.with_context(unwritten)?;
    let screen = &mut *session.screen;
    if screen.output.is_json() {
        let key = key.public;
        screen.json(&Document::LedgerKey(KeyMade { key, file }))?;
        return Ok(Exit::Done);
    }
    screen.line("The public key, which whoever checks names with --key; keep it where nobody of this database can change it:")?;
    screen.line("")?;
    screen.verbatim(&format!("  {}", key.public))?;
    screen.line("")?;
    screen.line(&format!(
        "The private key is in {file}. Name it in [checkpoints] key_files of each worker, and start them again."
    ))?;
    Ok(Exit::Done)
}
