//! A run whose proof is complete, and ways to spoil it.

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::{
    AuditId, BackupSetId, EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId,
};
use reconciler_jobs::reading::backup_health::{BackupSetFacts, BackupStatus, Quality};
use reconciler_jobs::restore_execute::canonical::canonicalise;
use reconciler_jobs::restore_execute::context::{ContextFacts, NamedRestore};
use reconciler_jobs::restore_execute::facts::{
    AuditFacts, Candidate, EvidenceFacts, Facts, Policy, RestoreFacts, RestoreStatus, RunFacts,
    RunOutcome, RunStatus, SnapshotFacts, Voice,
};
use reconciler_jobs::restore_execute::results::{
    ColumnState, Counters, ItemFacts, MetadataCount, PartTally, Requested,
};
use reconciler_jobs::restore_execute::rules::RULESET;
use reconciler_jobs::restore_execute::{Decision, decide};
use reconciler_jobs::stamp::Stamp;

use restore_reconciler::internals::storage::reader::{
    RunInFull, RunOnRecord, RunSeen, VerdictSeen,
};
use restore_reconciler::internals::storage::{Assessment, Pause, RecordedVerdict};

pub(super) const RUN: RunId = RunId(4711);
pub(super) const RESTORE: RestoreId = RestoreId(815);
pub(super) const WORKSPACE: WorkspaceId = WorkspaceId(1);
pub(super) const ENVIRONMENT: EnvironmentId = EnvironmentId(11);

pub(super) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn now() -> Timestamp {
    moment("2026-11-21T12:00:00Z")
}

pub(super) fn at(text: &str) -> Stamp {
    Stamp::At(moment(text))
}

/// A restore of three items that ended at nine, with evidence from ten past.
pub(super) fn proven() -> Facts {
    Facts {
        as_of: now(),
        policy: Policy::default(),
        run: RunFacts {
            id: RUN,
            workspace_id: WORKSPACE,
            environment_id: Some(ENVIRONMENT),
            is_restore_execute: true,
            status: RunStatus::Running,
            outcome: RunOutcome::Pending,
            created_at: at("2026-11-21T08:00:00Z"),
            started_at: at("2026-11-21T08:01:00Z"),
            completed_at: Stamp::Absent,
            context: ContextFacts::Map {
                restore: NamedRestore::Id(RESTORE),
                scope_contradicts: false,
            },
            blockers: Vec::new(),
            blockers_readable: true,
            failures: 0,
            closer: None,
        },
        candidates: vec![Candidate {
            restore_id: RESTORE,
            points_at: Some(RUN),
            contests: true,
        }],
        restore: Some(restore()),
        audits: vec![AuditFacts {
            id: AuditId(31),
            action: Voice::Completed,
            status: Voice::Completed,
            outcome: Voice::Completed,
            recorded_at: Some(moment("2026-11-21T09:00:01Z")),
        }],
        evidence: EvidenceFacts {
            active: Some(SnapshotFacts {
                id: SnapshotId(77),
                complete: true,
                generated_at: at("2026-11-21T09:10:00Z"),
                expires_at: Stamp::Absent,
            }),
            ..EvidenceFacts::default()
        },
    }
}

pub(super) fn restore() -> RestoreFacts {
    let applied = |applied| PartTally {
        applied,
        ..PartTally::default()
    };
    RestoreFacts {
        id: RESTORE,
        workspace_id: WORKSPACE,
        environment_id: ENVIRONMENT,
        is_dry_run: false,
        status: RestoreStatus::Completed,
        created_at: at("2026-11-21T08:00:00Z"),
        updated_at: at("2026-11-21T09:00:00Z"),
        started_at: at("2026-11-21T08:01:00Z"),
        completed_at: at("2026-11-21T09:00:00Z"),
        items: ItemFacts {
            reading: ColumnState::Read,
            items: applied(3),
            foundations: applied(1),
            foundations_written: 1,
            requested: Requested::Listed(3),
            ..ItemFacts::default()
        },
        counters: Counters {
            total: MetadataCount::Count(3),
            succeeded: MetadataCount::Count(3),
            ..Counters::default()
        },
        blockers: Vec::new(),
        failures: Vec::new(),
        metadata_readable: true,
    }
}

/// The same with something changed about the restore.
pub(super) fn with_restore(change: impl Fn(&mut RestoreFacts)) -> Facts {
    let mut facts = proven();
    change(facts.restore.as_mut().unwrap());
    facts
}

/// A run that was closed with the verdict that follows from `then`, and looks like `facts` now.
pub(super) fn decided(then: &Facts, mut facts: Facts) -> RunInFull {
    let decision = decide(then);
    let outcome = decision.outcome().expect("a verdict");
    facts.run.status = RunStatus::Completed;
    facts.run.outcome = RunOutcome::parse(outcome.name());
    let canonical = canonicalise(then).unwrap();
    let verdict = RecordedVerdict {
        run: then.run.id,
        decision_id: canonical.digest.chars().take(32).collect(),
        outcome: outcome.name().to_owned(),
        reason_code: decision.reason.code().to_owned(),
        ruleset: RULESET.to_owned(),
        facts: Some(canonical.text),
        facts_digest: canonical.digest,
        decision: canonicalise(&decision).unwrap().text,
        worker: "worker-1".to_owned(),
        decided_at: then.as_of,
        revision: 1,
        first_decision_id: None,
    };
    let seen = VerdictSeen::from(&verdict);
    RunInFull {
        seen: RunSeen {
            record: RunOnRecord {
                verdict: Some(seen),
                ..RunOnRecord::default()
            },
            ..open(facts).seen
        },
        verdict: Some(verdict),
        backup_set: Some(BackupSetId(5)),
        actions: Vec::new(),
        pause: None,
        next_look: None,
    }
}

pub(super) fn open(facts: Facts) -> RunInFull {
    let decision: Decision = decide(&facts);
    RunInFull {
        seen: RunSeen {
            assessment: Assessment { facts, decision },
            workspace_name: "Contoso <b>".to_owned(),
            environment_name: Some("Production".to_owned()),
            record: RunOnRecord::default(),
        },
        verdict: None,
        backup_set: Some(BackupSetId(5)),
        actions: Vec::new(),
        pause: None,
        next_look: None,
    }
}

/// What is paused since half an hour ago.
pub(super) fn paused(workspace: Option<WorkspaceId>) -> Pause {
    Pause {
        workspace,
        since: now() - SignedDuration::from_mins(30),
        actor: Some("ops".to_owned()),
        reason: "a <b>move</b>".to_owned(),
    }
}

/// A set from last night.
pub(super) fn backup() -> BackupSetFacts {
    BackupSetFacts {
        id: BackupSetId(5),
        name: "Nightly".to_owned(),
        status: BackupStatus::Completed,
        completed_at: at("2026-11-21T02:00:00Z"),
        is_deleted: false,
        quality: Quality {
            items: 40,
            ..Quality::default()
        },
    }
}
