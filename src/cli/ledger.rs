//! `ledger`: verdicts on record, listed, shown, checked and questioned.

mod checkpoints;
mod export;
mod offline;
mod part;
mod simulate;

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};

use self::checkpoints::KeptAsked;
use self::part::PartAsked;
use super::exit::Exit;
use super::failure::Failure;
use super::interruption::Interruption;
use super::output::{Document, LedgerListed, LedgerVerified};
use super::progress::Progress;
use super::reason;
use super::screen::{Output, Screen, Tint};
use super::session::Session;
use super::since::Since;
use super::table::{kept, spare};
use super::words::OneOf;
use crate::ledger::checkpoint::SignatureState;
use crate::ledger::leaves::{KeptElsewhere, check_tree};
use crate::ledger::verify::{CheckedPart, Disagreement, LedgerCounts, verify};
use crate::storage::Access;
use crate::storage::reader::{LedgerFilter, LedgerParts};
use crate::views::verdict::FiledVerdict;
use crate::views::{ClaimBoundary, Moment};

/// How many entries are listed unless asked for otherwise.
const LISTED: u32 = 50;

/// How many disagreements one JSON document holds. Text and lines have all of them.
const DISAGREEMENTS_MAX: usize = 10_000;

/// Below this are all runs.
const ALL: RunId = RunId(i64::MAX);

/// What to do with the ledger.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List verdicts on record, those of the highest runs first; with `-o jsonl` all that match, each as it is read.
    List(List),
    /// Show a verdict on record, or all that are on record for a run.
    Show(Show),
    /// Check each entry: facts, digest, what the rules of its time give, the run's row, the audit log, the feed and the tree.
    ///
    /// Writes nothing. Of a part, the feed's positions are checked entry by entry, and not for gaps, and the tree is not.
    /// Exit code 3 where something disagrees, and each of it is named. All of it is in one database: whoever changes all of it
    /// alike is found out by a checkpoint that was kept elsewhere alone.
    Verify(Verify),
    /// List checkpoints: roots of the tree over the ledger, by which changes before them are found.
    Checkpoints(checkpoints::CheckpointsAsked),
    /// Make a key that signs checkpoints.
    ///
    /// The private key goes to a file; the public one is printed.
    Key(checkpoints::KeyAsked),
    /// Write the verdicts of a workspace into a file that can be checked without the database.
    ///
    /// Needs a checkpoint, to which the proofs lead. The file holds the facts of each verdict, as the ledger does; it is for
    /// `ledger verify --offline`, and for an auditor's own program. Exit code 3 where a leaf does not follow from its verdict: each is
    /// named, and is in the file as it is on record.
    Export(export::ExportAsked),
    /// Say what another policy would have said of each verdict, from the facts recorded with it.
    ///
    /// Writes nothing. Each verdict is asked as of the moment at which it was reached. What the recorded facts do not tell
    /// is counted as not recorded, and never guessed.
    Simulate(simulate::Simulate),
}

/// Which verdicts to list.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only those of this workspace.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: Option<i64>,
    /// Only those of this environment.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    environment: Option<i64>,
    /// Only those with this outcome.
    #[arg(long, value_name = "OUTCOME", value_parser = OUTCOMES)]
    outcome: Option<Outcome>,
    /// Only those with this primary reason.
    #[arg(long, value_name = "CODE", value_parser = reason::CODES, hide_possible_values = true)]
    reason: Option<ReasonCode>,
    /// Only those decided since then: a moment such as `2026-11-01T00:00:00Z`, or an age such as `36h` or `7d`.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// At most so many; 50, unless lines are written.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
}

/// Which verdicts to show.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// A decision of 32 hexadecimal digits, or the id of a run.
    #[arg(value_name = "DECISION|RUN", value_parser = target)]
    target: EntryName,
}

/// Which entries to check.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    #[command(flatten)]
    part: PartAsked,
    /// Go on below this run, where an earlier check ended; it said where.
    #[arg(long, value_name = "RUN", value_parser = clap::value_parser!(i64).range(1..))]
    below: Option<i64>,
    /// Go on in the tree above this position, where an earlier check ended; it said where. Nothing else is checked again.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..),
          conflicts_with_all = ["workspace", "since", "until", "below"])]
    above: Option<i64>,
    #[command(flatten)]
    kept: KeptAsked,
    /// Check this export of the ledger instead. Needs no database.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workspace", "since", "until", "below", "above", "checkpoint"])]
    offline: Option<PathBuf>,
}

/// What names entries.
#[derive(Debug, Clone)]
enum EntryName {
    Run(RunId),
    Decision(String),
}

const OUTCOMES: OneOf<Outcome> = OneOf {
    words: || Outcome::ALL.map(|it| it.name().to_owned()).to_vec(),
    read: Outcome::parse,
    listed: None,
};

/// Digits of a decision may be grouped as those of a UUID are.
fn target(text: &str) -> Result<EntryName, &'static str> {
    let digits = text.replace('-', "").to_ascii_lowercase();
    if digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(EntryName::Decision(digits));
    }
    let run = text.parse().ok().filter(|run| *run > 0);
    let run = run.map(|run| EntryName::Run(RunId(run)));
    run.ok_or("it must be a decision of 32 hexadecimal digits, or the id of a run")
}

/// Lists, shows, checks or asks; writes nothing.
pub(super) async fn run(session: &mut Session<'_>, command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list(session, args).await,
        Command::Show(args) => show(session, args).await,
        Command::Verify(args) => check(session, args).await,
        Command::Checkpoints(args) => checkpoints::list(session, args).await,
        Command::Key(args) => checkpoints::make_key(session, args).await,
        Command::Export(args) => export::run(session, args).await,
        Command::Simulate(args) => simulate::run(session, args).await,
    }
}

async fn list(session: &mut Session<'_>, args: &List) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Read).await?;
    let reader = store.reader();
    let now = reader.now().await?;
    let filter = LedgerFilter {
        workspace: args.workspace.map(WorkspaceId),
        environment: args.environment.map(EnvironmentId),
        outcome: args.outcome,
        reason: args.reason,
        since: args.since.map(|since| since.before(now)),
        until: None,
    };
    let in_lines = session.screen.output == Output::Jsonl;
    let unasked = if in_lines { u32::MAX } else { LISTED };
    let mut left = args.limit.unwrap_or(unasked) as usize;
    let mut listed = listed(now, Vec::new());
    let mut has_lines = false;
    let mut parts = pin!(reader.walk_ledger(filter, ALL, LedgerParts::Listed));
    while left > 0
        && let Some(part) = parts.try_next().await?
    {
        listed.more = part.below.is_some() || part.entries.len() > left;
        let rows = part.entries.iter().map(|entry| &entry.row).take(left);
        let entries: Vec<_> = rows.map(FiledVerdict::from).collect();
        left -= entries.len();
        listed.entries.extend(entries);
        if in_lines && !listed.entries.is_empty() {
            has_lines = true;
            let lines = Document::LedgerList(listed.clone());
            session.screen.json(&lines)?;
            listed.entries.clear();
        }
    }
    if !has_lines {
        show_list(listed, session.screen)?;
    }
    Ok(Exit::Done)
}

fn listed(now: Timestamp, entries: Vec<FiledVerdict>) -> LedgerListed {
    LedgerListed {
        as_of: Moment(now),
        entries,
        more: false,
        claim_boundary: ClaimBoundary::default(),
    }
}

fn show_list(listed: LedgerListed, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::LedgerList(listed))?);
    }
    if listed.entries.is_empty() {
        return Ok(screen.line("No verdict on record matches.")?);
    }
    screen.table(
        [
            kept("RUN"),
            spare(3, "WORKSPACE"),
            spare(4, "ENVIRONMENT"),
            kept("OUTCOME"),
            kept("REASON"),
            spare(2, "DECIDED"),
            spare(1, "DECISION"),
        ],
        listed.entries.iter().map(|entry| row(entry, &listed.as_of)),
    )?;
    if listed.more {
        screen.line("There may be more; see them with a higher --limit, or with a filter.")?;
    }
    Ok(screen.line(CLAIM_BOUNDARY)?)
}

fn row(entry: &FiledVerdict, now: &Moment) -> [String; 7] {
    let verdict = &entry.verdict;
    [
        entry.run.to_string(),
        entry.workspace.to_string(),
        or_dash(entry.environment),
        if verdict.standing.is_readable() {
            verdict.outcome.clone()
        } else {
            "record altered".to_owned()
        },
        verdict.reason_code.clone(),
        verdict.decided_at.age(now),
        verdict.decision_id.clone(),
    ]
}

fn or_dash(id: Option<i64>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

async fn show(session: &mut Session<'_>, args: &Show) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Read).await?;
    let reader = store.reader();
    let now = reader.now().await?;
    let (decision, run) = match &args.target {
        EntryName::Run(run) => (None, Some(*run)),
        EntryName::Decision(decision) => (Some(decision.as_str()), None),
    };
    let rows = reader.find_entries(decision, run).await?;
    if rows.is_empty() {
        let what = match &args.target {
            EntryName::Run(run) => format!("no verdict on run {run} is on record"),
            EntryName::Decision(decision) => format!("no decision {decision} is on record"),
        };
        let advice =
            "`restore-reconciler ledger list` says what is; `explain RUN` what becomes of a run.";
        return Err(Failure::new(what, advice).into());
    }
    let found = listed(now, rows.iter().map(FiledVerdict::from).collect());
    let screen = &mut *session.screen;
    if screen.output.is_json() {
        screen.json(&Document::LedgerShow(found))?;
        return Ok(Exit::Done);
    }
    for entry in &found.entries {
        show_entry(entry, screen)?;
    }
    screen.line(CLAIM_BOUNDARY)?;
    Ok(Exit::Done)
}

fn show_entry(entry: &FiledVerdict, screen: &mut Screen) -> io::Result<()> {
    let verdict = &entry.verdict;
    let missing = match &verdict.missing {
        None => "cannot be read by this version".to_owned(),
        Some(codes) if codes.is_empty() => "nothing".to_owned(),
        Some(codes) => codes.join(", "),
    };
    let created = (entry.run_created_at.as_ref()).map(|at| format!(", created at {at}"));
    let mut lines = vec![
        (
            "run",
            format!(
                "{} of workspace {}, environment {}{}",
                entry.run,
                entry.workspace,
                or_dash(entry.environment),
                created.unwrap_or_default()
            ),
        ),
        (
            "outcome",
            format!("{}, {}", verdict.outcome, verdict.reason_code),
        ),
        ("missing", missing),
        (
            "decided",
            format!(
                "{} by {} ({})",
                verdict.decided_at, verdict.worker, entry.source
            ),
        ),
        ("rules", verdict.ruleset.clone()),
        ("digest", verdict.facts_digest.clone()),
        ("review", verdict.standing.sentence().to_owned()),
    ];
    if let Some(revision) = &verdict.revision {
        let of_first = format!("{} of {}", revision.number, revision.first_decision_id);
        lines.push(("revision", of_first));
    }
    if let Some(position) = entry.position {
        lines.push(("feed", format!("position {position}")));
    }
    screen.tinted(Tint::Heading, &format!("Decision {}", verdict.decision_id))?;
    for (name, text) in lines {
        screen.line(&format!("  {name:<8} {text}"))?;
    }
    screen.line("")
}

async fn check(session: &mut Session<'_>, args: &Verify) -> anyhow::Result<Exit> {
    if let Some(file) = &args.offline {
        return offline::run(session.screen, file, args.kept.keys());
    }
    let store = session.open_migrated(Access::Read).await?;
    let reader = store.reader();
    let now = reader.now().await?;
    let filter = args.part.filter(now);
    let is_whole = filter == LedgerFilter::default();
    let mut tree = if is_whole {
        args.kept.tree(&reader).await?
    } else {
        None
    };
    if args.above.is_some() && tree.is_none() {
        return Err(Failure::new(
            "there is no tree to go on with",
            "Trees are over ledgers on PostgreSQL; leave out --above to check this one.",
        )
        .into());
    }
    let mut found = LedgerVerified {
        as_of: Moment(now),
        workspace: args.part.workspace,
        since: filter.since.map(Moment),
        until: filter.until.map(Moment),
        complete: false,
        go_on_below: args.below,
        go_on_above: args.above,
        counts: LedgerCounts::default(),
        kept_elsewhere: None,
        elapsed_ms: 0,
        disagreements: Vec::new(),
        disagreements_omitted: 0,
        claim_boundary: ClaimBoundary::default(),
    };
    let below = args.below.map_or(ALL, RunId);
    let mut progress = Progress::new(session.screen, "checking the ledger", 0).of("verdicts");
    let interruption = Interruption::default();
    let mut told = Ok(());
    let mut heard = |part: CheckedPart| {
        found.counts += part.counts;
        found.go_on_above = part.leaves_through;
        // What is left where all runs are passed is the feed and the tree.
        let run = part.below.map_or(1, |run| run.0);
        found.go_on_below = part.leaves_through.is_none().then_some(run);
        told = progress.beside(|screen| tell(part.disagreements, &mut found, screen));
        progress.advance(part.passed);
        match told {
            Ok(()) => interruption.wish(),
            Err(_) => ControlFlow::Break(()),
        }
    };
    let checking = async {
        if args.above.is_none() {
            verify(&reader, filter, below, &mut heard).await?;
        }
        match &mut tree {
            Some(tree) if interruption.wish().is_continue() => {
                check_tree(&reader, tree, args.above.unwrap_or(0), &mut heard).await
            }
            _ => Ok(()),
        }
    };
    let checked = interruption.heed_during(checking).await;
    found.elapsed_ms = progress.elapsed_ms();
    drop(progress);
    told?;
    found.complete = checked.is_ok() && interruption.wish().is_continue();
    if found.complete {
        (found.go_on_below, found.go_on_above) = (None, None);
    }
    found.kept_elsewhere = tree
        .filter(|_| args.kept.is_from_elsewhere())
        .map(|tree| tree.shown().clone());
    let counts = &found.counts;
    let exit = match counts.disagree + counts.feed_disagrees + counts.tree_disagrees {
        0 if found.complete => Exit::Done,
        0 => Exit::CouldNotRun,
        _ => Exit::ProblemFound,
    };
    show_check(found, args.above, session.screen)?;
    checked.map(|()| exit)
}

/// Says what disagrees as soon as it is found; in one document, at the end.
fn tell(
    disagreements: Vec<Disagreement>,
    found: &mut LedgerVerified,
    screen: &mut Screen,
) -> io::Result<()> {
    for disagreement in disagreements {
        match screen.output {
            Output::Table => screen.tinted(Tint::Bad, &disagreement.sentence())?,
            Output::Jsonl => {
                let line = LedgerVerified {
                    disagreements: vec![disagreement],
                    ..found.clone()
                };
                screen.json(&Document::LedgerVerify(line))?;
            }
            Output::Json if found.disagreements.len() < DISAGREEMENTS_MAX => {
                found.disagreements.push(disagreement);
            }
            Output::Json => found.disagreements_omitted += 1,
        }
    }
    Ok(())
}

fn show_check(
    found: LedgerVerified,
    above: Option<i64>,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::LedgerVerify(found))?);
    }
    let counts = &found.counts;
    let read = quantity(counts.entries, "verdict");
    screen.tinted(Tint::Heading, &format!("Read: {read}"))?;
    for (count, meaning) in meanings(counts) {
        if count > 0 {
            screen.line(&format!("  {count:>9} {meaning}"))?;
        }
    }
    let run = found.go_on_below.map(|run| format!("--below {run}"));
    let position = found.go_on_above.map(|at| format!("--above {at}"));
    if let Some(place) = run.or(position) {
        let ended = "It was ended before all was read. Go on with the same command and";
        screen.tinted(Tint::Notice, &format!("{ended} {place}"))?;
    }
    let is_sound = counts.tree_disagrees == 0;
    screen.line(&worth(found.kept_elsewhere.as_ref(), is_sound, above))?;
    Ok(screen.line(CLAIM_BOUNDARY)?)
}

/// What the check is worth to whoever does not trust the database. Up to the position `above` it looked at leaves alone.
fn worth(kept: Option<&KeptElsewhere>, is_sound: bool, above: Option<i64>) -> String {
    let Some(kept) = kept else {
        return "All of it is what this database says of itself: whoever changes all of it alike is found out by a checkpoint \
                that was kept elsewhere alone (--checkpoint FILE)."
            .to_owned();
    };
    let signed_by = kept.signed_by.join(", ");
    let signature = match kept.signature {
        Some(SignatureState::Verified) => format!("verified: signed by {signed_by}"),
        Some(SignatureState::Unsigned) => {
            "unsigned: whoever could write to that file could have made it".to_owned()
        }
        Some(_) => format!("said to be signed by {signed_by}; name its key with --key"),
        None => {
            return "No checkpoint that was kept elsewhere is one of these verdicts.".to_owned();
        }
    };
    let first = quantity(kept.covers, "verdict");
    let first = match above {
        None if is_sound => format!("The first {first}"),
        _ => format!("The leaves of the first {first}"),
    };
    let earlier = above.map_or_else(String::new, |position| {
        format!(
            " That verdicts up to position {position} follow from theirs, an earlier check said."
        )
    });
    let named = if is_sound {
        ""
    } else {
        " What disagrees with its leaf is named above."
    };
    format!(
        "{first} are those of a checkpoint that was kept elsewhere, {signature}.{earlier}{named} Whatever is later is what this database \
         says of itself."
    )
}

/// What was counted, each with what it means.
fn meanings(counts: &LedgerCounts) -> [(u64, &'static str); 15] {
    let LedgerCounts {
        entries: _,
        agree,
        erased,
        disagree,
        without_run,
        superseded,
        opened_again,
        unplaced,
        positions,
        feed_disagrees,
        leaves,
        unsealed,
        checkpoints,
        unsigned,
        other_key,
        tree_disagrees,
    } = *counts;
    [
        (
            agree,
            "follow from their facts by the rules of their time, and agree with what else was written",
        ),
        (
            erased,
            "agree as far as can be told: their facts were erased, and they cannot be judged again",
        ),
        (disagree, "disagree"),
        (
            without_run,
            "of these: the run is gone, or its id is another's; neither run nor audit log was compared",
        ),
        (
            superseded,
            "of these: a later verdict counts for the run; neither run nor audit log was compared",
        ),
        (
            opened_again,
            "of these: the platform opened the run again, and it is judged anew",
        ),
        (
            unplaced,
            "of these: no position in the feed, and none is due: older than it, waiting, or on SQLite",
        ),
        (positions, "positions of the feed"),
        (feed_disagrees, "of these disagree"),
        (leaves, "leaves of the tree"),
        (unsealed, "positions have no leaf yet"),
        (checkpoints, "checkpoints of the tree"),
        (unsigned, "of these are unsigned"),
        (
            other_key,
            "of these are signed by other keys than those that are named",
        ),
        (tree_disagrees, "leaves or checkpoints disagree"),
    ]
}
