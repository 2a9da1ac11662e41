//! Reason codes read back, and claim nothing.

use std::collections::BTreeSet;

use reconciler_jobs::restore_execute::reason::{CLAIM_BOUNDARY, ReasonCode};
use schemars::JsonSchema as _;

#[test]
fn codes_and_anchors_are_unique_and_read_back() {
    let codes = BTreeSet::from(ReasonCode::ALL.map(ReasonCode::code));
    let anchors = BTreeSet::from(ReasonCode::ALL.map(ReasonCode::anchor));
    assert_eq!(
        (codes.len(), anchors.len()),
        (ReasonCode::ALL.len(), ReasonCode::ALL.len())
    );
    for reason in ReasonCode::ALL {
        assert_eq!(ReasonCode::parse(reason.code()), Some(reason));
        assert_eq!(ReasonCode::parse(&reason.code().to_uppercase()), None);
    }
}

#[test]
fn no_sentence_claims_what_a_restore_cannot_prove() {
    for reason in ReasonCode::ALL {
        let sentence = reason.sentence();
        let (impact, next_action) = (reason.impact(), reason.next_action());
        let words = format!(" {sentence} {impact} {next_action} ").to_lowercase();
        for claim in [
            "recovery verified",
            " healthy",
            "compliant",
            "customer-safe",
        ] {
            assert!(!words.contains(claim), "{reason} says {claim:?}");
        }
        assert!(
            sentence.len() < 200,
            "{reason}: an audit summary holds 255 characters"
        );
        assert!(
            [sentence, impact, next_action]
                .iter()
                .all(|text| text.ends_with('.')),
            "{reason}"
        );
    }
    let proven = ReasonCode::ProofComplete.sentence();
    assert!(proven.contains(CLAIM_BOUNDARY));
}

#[test]
fn a_blocker_is_recognised_only_when_it_is_exactly_a_code() {
    assert_eq!(
        ReasonCode::parse_blocker("write_gate_blocked"),
        Some(ReasonCode::WriteGateBlocked)
    );
    for text in [
        "Write_Gate_Blocked",
        " write_gate_blocked",
        "restore.cancelled",
        "",
    ] {
        assert_eq!(ReasonCode::parse_blocker(text), None, "{text:?}");
    }
}

#[test]
fn only_what_is_wrong_with_a_run_itself_keeps_it_from_being_due() {
    let never = ReasonCode::ALL.into_iter().filter(|it| it.is_never_due());
    let never: Vec<&str> = never.map(ReasonCode::code).collect();
    let of_the_run = [
        "run.unsupported_type",
        "run.already_terminal",
        "run.status_unknown",
    ];
    assert_eq!(BTreeSet::from_iter(never), BTreeSet::from(of_the_run));
}

#[test]
fn codes_are_described_by_all_of_them() {
    assert_eq!(ReasonCode::schema_name(), "ReasonCode");
    let described = schemars::schema_for!(ReasonCode);
    let codes = described.get("enum").and_then(|it| it.as_array());
    let codes = codes.expect("a list").iter().map(|it| it.as_str());
    assert!(codes.eq(ReasonCode::ALL.map(|it| Some(it.code()))));
}

#[test]
fn a_code_is_explained_by_four_texts_of_its_own() {
    for reason in ReasonCode::ALL {
        let (headings, texts): (BTreeSet<_>, Vec<_>) = reason.explained().into_iter().unzip();
        assert_eq!(headings.len(), 4, "{reason}");
        assert!(headings.contains("What it does not mean"), "{reason}");
        assert_eq!(
            (texts[0], texts[3]),
            (reason.impact(), reason.next_action())
        );
        assert!(
            texts.iter().all(|text| text.ends_with('.')),
            "{reason}: {texts:?}"
        );
    }
}
