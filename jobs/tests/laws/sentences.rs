//! No sentence shown to people claims what nobody can prove.
//!
//! Sentences are read from the source of the reading models, so that a new table cannot be forgotten; those of the
//! tables are looked up among them, so that the reader of the source cannot miss one unnoticed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reconciler_jobs::reading::Availability;
use reconciler_jobs::reading::attention::{AttentionState, Cause};
use reconciler_jobs::reading::backup_health::{BackupFinding, BackupHealth};
use reconciler_jobs::reading::freshness::Freshness;
use reconciler_jobs::reading::gates::{CardStatus, Gate, GateReason, GateState, GroupCache};
use reconciler_jobs::reading::now::Change;
use reconciler_jobs::reading::posture::{Posture, PostureReason};
use reconciler_jobs::reading::result_state::{Claim, NextAction, Situation};
use reconciler_jobs::reading::summary::{METADATA_ONLY, Uncounted};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

/// Every sentence of the tables.
fn told() -> BTreeSet<&'static str> {
    let mut all = BTreeSet::from([METADATA_ONLY]);
    for situation in Situation::ALL {
        all.extend([situation.label(), situation.reason(), situation.impact()]);
    }
    all.extend(NextAction::ALL.map(NextAction::label));
    all.extend(Claim::ALL.map(Claim::label));
    all.extend(Availability::ALL.map(Availability::label));
    all.extend(Uncounted::ALL.map(Uncounted::label));
    for cause in Cause::ALL {
        all.extend([cause.summary(), cause.next_action()]);
    }
    all.extend(AttentionState::ALL.map(AttentionState::claim_boundary));
    for reason in PostureReason::ALL {
        all.extend([reason.summary(), reason.next_action()]);
    }
    for posture in Posture::ALL {
        all.extend([posture.headline(), posture.claim_boundary()]);
    }
    all.extend(Freshness::ALL.map(Freshness::label));
    for finding in BackupFinding::ALL {
        all.extend([finding.summary(), finding.next_action()]);
    }
    for health in BackupHealth::ALL {
        all.extend([health.label(), health.claim_boundary()]);
    }
    for reason in GateReason::ALL {
        all.extend([reason.sentence(), reason.next_action()]);
    }
    for status in CardStatus::ALL {
        all.extend([status.label(), status.impact()]);
    }
    for groups in GroupCache::ALL {
        all.extend([groups.summary(), groups.next_action()]);
    }
    all.extend(Gate::ALL.map(Gate::label));
    all.extend(GateState::ALL.map(GateState::label));
    all.extend(Change::ALL.iter().map(|change| change.sentence()));
    all
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// What stands between quotes, outside of comments. None of these files has a quote in a character or an escaped one
/// in a text; one that had would leave an odd number of them.
fn literals(source: &str) -> Vec<String> {
    let code: Vec<_> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let parts: Vec<_> = code.split('"').collect();
    assert!(parts.len() % 2 == 1, "an odd number of quotes");
    parts
        .iter()
        .skip(1)
        .step_by(2)
        .map(|&text| text.to_owned())
        .collect()
}

/// Every text in the source of the reading models.
fn written() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reading");
    let mut all = BTreeSet::from([CLAIM_BOUNDARY.to_owned()]);
    for path in sources(&folder) {
        let source = std::fs::read_to_string(&path).unwrap();
        assert!(
            !source.contains("\\\""),
            "{}: an escaped quote",
            path.display()
        );
        all.extend(literals(&source));
    }
    all
}

#[test]
fn every_sentence_of_the_tables_is_read_from_the_source() {
    let written = written();
    for sentence in told() {
        assert!(written.contains(sentence), "{sentence}");
    }
}

#[test]
fn no_sentence_claims_what_nobody_can_prove() {
    let forbidden = ["recovery verified", "healthy", "compliant", "customer-safe"];
    for sentence in written() {
        let lower = sentence.to_lowercase();
        assert!(
            !forbidden.iter().any(|words| lower.contains(words)),
            "{sentence}"
        );
    }
}
