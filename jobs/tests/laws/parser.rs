//! Odd documents in every column, each with what it is read as. Nothing here may panic, and nothing
//! that cannot be read may pass as nothing.

use std::time::Instant;

use reconciler_jobs::ids::RestoreId;
use reconciler_jobs::json::{Column, Fault};
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::context::{ContextFacts, NamedRestore};
use reconciler_jobs::restore_execute::facts::{Facts, RestoreFacts, RunFacts};
use reconciler_jobs::restore_execute::results::{
    Counter, EXCEPTIONS_MAX, Finding, Reading, Requested, Tally,
};

use crate::support::{Case, json, line};

/// A tally in one line: applied/partial/failed/skipped/not applied/unrecognised.
fn tallied(tally: &Tally) -> String {
    let Tally {
        applied,
        partial,
        failed,
        skipped,
        not_applied,
        unrecognised,
    } = tally;
    format!("{applied}/{partial}/{failed}/{skipped}/{not_applied}/{unrecognised}")
}

fn restore(change: impl FnOnce(&mut Case)) -> RestoreFacts {
    let mut case = Case::proven();
    change(&mut case);
    RestoreFacts::parse(&case.restore)
}

fn run(change: impl FnOnce(&mut Case)) -> RunFacts {
    let mut case = Case::proven();
    change(&mut case);
    RunFacts::parse(&case.run)
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn huge_text() -> String {
    format!("\"{}\"", "x".repeat(1 << 20))
}

/// Documents that no column can read, whatever its shape.
fn unreadable() -> Vec<(&'static str, Column, Fault)> {
    let bytes = |bytes: &[u8]| Column::Bytes(bytes.to_vec());
    vec![
        ("nothing at all", json(""), Fault::Invalid),
        ("spaces", json("  "), Fault::Invalid),
        ("half a map", json(r#"{"items":"#), Fault::Invalid),
        ("two documents", json("[] []"), Fault::Invalid),
        ("a comma too many", json("[1,]"), Fault::Invalid),
        ("single quotes", json("{'items':[]}"), Fault::Invalid),
        (
            "PHP's serialize()",
            json("a:1:{i:0;s:1:\"a\";}"),
            Fault::Invalid,
        ),
        (
            "half of a surrogate pair",
            json(r#"["\ud83d"]"#),
            Fault::Invalid,
        ),
        (
            "half of a pair as a key",
            json(r#"{"\ude00":1}"#),
            Fault::Invalid,
        ),
        ("not UTF-8", bytes(b"[\"\xc3\x28\"]"), Fault::Invalid),
        ("UTF-16", bytes(b"\xff\xfe[\0]\0"), Fault::Invalid),
        ("a raw NUL", bytes(b"[\"\0\"]"), Fault::Invalid),
        ("a number beyond a double", json("[1e999]"), Fault::Invalid),
        ("65 deep", json(&nested(65)), Fault::TooDeep),
        ("200 deep", json(&nested(200)), Fault::TooDeep),
        ("100,000 deep", json(&nested(100_000)), Fault::TooDeep),
        (
            "100,000 deep and cut off",
            json(&"[".repeat(100_000)),
            Fault::TooDeep,
        ),
        (
            "100,000 maps deep",
            json(&"{\"a\":".repeat(100_000)),
            Fault::TooDeep,
        ),
        ("too large to fetch", Column::Oversized, Fault::Oversized),
    ]
}

#[test]
fn what_no_column_can_read_is_a_named_fault_in_every_column() {
    for (name, column, fault) in unreadable() {
        let facts = restore(|case| case.restore.results = column.clone());
        assert_eq!(facts.items.reading, Reading::Unreadable(fault), "{name}");
        assert_eq!(facts.items.items, Tally::default(), "{name}");
        let facts = restore(|case| case.restore.requested_items = column.clone());
        assert_eq!(
            facts.items.requested,
            Requested::Unreadable(fault),
            "{name}"
        );
        let facts = restore(|case| case.restore.metadata = column.clone());
        assert_eq!(
            (facts.metadata_readable, facts.counters.total),
            (false, Counter::Unreadable),
            "{name}"
        );
        let facts = run(|case| case.run.context = column.clone());
        assert_eq!(facts.context, ContextFacts::Malformed, "{name}");
        let facts = run(|case| case.run.failure_summary = column.clone());
        assert!(!facts.blockers_readable, "{name}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table is as long as its rulebook")]
fn results_are_counted_by_what_is_known() {
    let rows = [
        ("an empty PHP array", "[]", Reading::Absent, "0/0/0/0/0/0"),
        ("an empty map", "{}", Reading::Absent, "0/0/0/0/0/0"),
        ("null", "null", Reading::Absent, "0/0/0/0/0/0"),
        (
            "a map without items",
            r#"{"summary":{}}"#,
            Reading::Read,
            "0/0/0/0/0/0",
        ),
        (
            "items null",
            r#"{"items":null}"#,
            Reading::Read,
            "0/0/0/0/0/0",
        ),
        ("items []", r#"{"items":[]}"#, Reading::Read, "0/0/0/0/0/0"),
        (
            "items as a map",
            r#"{"items":{"5":{"status":"created"}}}"#,
            Reading::Read,
            "1/0/0/0/0/0",
        ),
        (
            "items as a list",
            r#"{"items":[{"status":"error"},{"status":"ignored"}]}"#,
            Reading::Read,
            "0/0/1/0/1/0",
        ),
        (
            "one of each",
            r#"{"items":[{"status":"applied"},{"status":"partial"},{"status":"failed"},{"status":"skipped"},{"status":"dry_run"},{"status":"?"}]}"#,
            Reading::Read,
            "1/1/1/1/1/1",
        ),
        (
            "rows of wrong types",
            r#"{"items":[null,1,"applied",true,[],{},{"status":["applied"]}]}"#,
            Reading::Read,
            "0/0/0/0/0/7",
        ),
        (
            "one key twice in a row",
            r#"{"items":[{"status":"applied","x":{"y":1,"y":1}}]}"#,
            Reading::Read,
            "0/0/0/0/0/1",
        ),
        (
            "a list at the top",
            r#"[{"status":"applied"}]"#,
            Reading::Unreadable(Fault::Shape),
            "0/0/0/0/0/0",
        ),
        (
            "text",
            r#""applied""#,
            Reading::Unreadable(Fault::Shape),
            "0/0/0/0/0/0",
        ),
        (
            "items are text",
            r#"{"items":"applied"}"#,
            Reading::Unreadable(Fault::Shape),
            "0/0/0/0/0/0",
        ),
        (
            "foundations are a number",
            r#"{"items":[{"status":"applied"}],"foundations":1}"#,
            Reading::Unreadable(Fault::Shape),
            "0/0/0/0/0/0",
        ),
        (
            "items twice",
            r#"{"items":[],"items":[{"status":"applied"}]}"#,
            Reading::Unreadable(Fault::DuplicateKey),
            "0/0/0/0/0/0",
        ),
        (
            "64 deep is read",
            &format!(r#"{{"items":[{{"status":"applied","x":{}}}]}}"#, nested(61)),
            Reading::Read,
            "1/0/0/0/0/0",
        ),
        (
            "a status of a megabyte",
            &format!(r#"{{"items":[{{"status":{}}}]}}"#, huge_text()),
            Reading::Read,
            "0/0/0/0/0/1",
        ),
        (
            "NUL in text",
            r#"{"items":[{"status":"applied\u0000"},{"status":"applied","note":"\u0000"}]}"#,
            Reading::Read,
            "1/0/0/0/0/1",
        ),
    ];
    for (name, document, reading, tally) in rows {
        let facts = restore(|case| case.restore.results = json(document));
        assert_eq!(
            (facts.items.reading, tallied(&facts.items.items).as_str()),
            (reading, tally),
            "{name}"
        );
    }
}

#[test]
fn assignment_counts_are_bounded_and_exact() {
    let rows = [
        (
            "numbers as text",
            r#"{"success":"2","failed":"0"}"#,
            "2/0/0/0/0/0",
        ),
        ("a null count", r#"{"success":null}"#, "0/0/0/0/0/0"),
        (
            "2^53",
            r#"{"success":9007199254740992}"#,
            "9007199254740992/0/0/0/0/0",
        ),
        (
            "beyond 2^53 is no count",
            r#"{"success":9007199254740993}"#,
            "0/0/0/0/0/1",
        ),
        (
            "sums stop at 2^53",
            r#"{"success":9007199254740992,"created":9007199254740992}"#,
            "9007199254740992/0/0/0/0/0",
        ),
        (
            "negative, fraction, text",
            r#"{"success":-1,"failed":0.5,"skipped":"two"}"#,
            "0/0/0/0/0/3",
        ),
        ("a list", "[1]", "0/0/0/0/0/1"),
        (
            "one key twice: the item says nothing",
            r#"{"success":1,"success":1}"#,
            "0/0/0/0/0/0",
        ),
    ];
    for (name, summary, tally) in rows {
        let facts = restore(|case| {
            case.one_item(&format!(
                r#"{{"status":"applied","assignment_summary":{summary}}}"#
            ));
        });
        assert_eq!(tallied(&facts.items.assignments), tally, "{name}");
    }
}

#[test]
fn the_request_is_a_set_of_ids_or_unreadable() {
    let shape = Requested::Unreadable(Fault::Shape);
    let rows = [
        ("null", "null", Requested::NotItemised, [0, 0, 0]),
        ("an empty PHP array", "[]", Requested::Listed(0), [0, 2, 0]),
        (
            "numbers and text",
            r#"[101,"102"]"#,
            Requested::Listed(2),
            [0, 0, 0],
        ),
        (
            "a map with keys 0 and 2",
            r#"{"0":101,"2":102}"#,
            Requested::Listed(2),
            [0, 0, 0],
        ),
        (
            "one missing, one unexpected",
            "[101,103]",
            Requested::Listed(2),
            [1, 1, 0],
        ),
        (
            "one id twice",
            r#"[101,102,"101"]"#,
            Requested::Listed(2),
            [0, 0, 1],
        ),
        (
            "one key twice",
            r#"{"0":101,"0":102}"#,
            Requested::Listed(2),
            [0, 0, 0],
        ),
        (
            "no numbers",
            r#"["policy-é"]"#,
            Requested::Listed(1),
            [1, 2, 0],
        ),
        ("null among the ids", "[101,null]", shape, [0, 0, 0]),
        ("a fraction", "[101.5]", shape, [0, 0, 0]),
        ("a fraction of nothing", "[101,102.0]", shape, [0, 0, 0]),
        ("beyond 2^53", "[9007199254740993]", shape, [0, 0, 0]),
        ("lists", "[[101],[102]]", shape, [0, 0, 0]),
        ("maps", r#"[{"id":101}]"#, shape, [0, 0, 0]),
        ("text", r#""101""#, shape, [0, 0, 0]),
        ("a number", "101", shape, [0, 0, 0]),
    ];
    for (name, document, requested, counts) in rows {
        let items = restore(|case| case.restore.requested_items = json(document)).items;
        let found = [items.missing, items.unexpected, items.repeated];
        assert_eq!((items.requested, found), (requested, counts), "{name}");
    }
    let megabyte = json(&format!("[{}]", huge_text()));
    assert_eq!(
        restore(|case| case.restore.requested_items = megabyte)
            .items
            .requested,
        shape
    );
}

#[test]
fn counters_are_counts_or_unreadable_and_never_a_silent_zero() {
    let rows = [
        ("absent", "{}", Counter::Absent),
        ("null", r#"{"total":null}"#, Counter::Absent),
        ("a PHP list", "[]", Counter::Absent),
        ("zero", r#"{"total":0}"#, Counter::Count(0)),
        ("minus zero", r#"{"total":-0}"#, Counter::Unreadable),
        ("text", r#"{"total":"12"}"#, Counter::Count(12)),
        ("a whole float", r#"{"total":12.0}"#, Counter::Unreadable),
        ("12e0", r#"{"total":12e0}"#, Counter::Unreadable),
        (
            "a fraction too small for a double",
            r#"{"total":2.00000000000000000001}"#,
            Counter::Unreadable,
        ),
        (
            "2^53",
            r#"{"total":9007199254740992}"#,
            Counter::Count(1 << 53),
        ),
        (
            "2^53 + 1",
            r#"{"total":9007199254740993}"#,
            Counter::Unreadable,
        ),
        ("negative", r#"{"total":-1}"#, Counter::Unreadable),
        ("a fraction", r#"{"total":1.5}"#, Counter::Unreadable),
        (
            "a fraction as text",
            r#"{"total":"1.5"}"#,
            Counter::Unreadable,
        ),
        ("empty text", r#"{"total":""}"#, Counter::Unreadable),
        ("padded text", r#"{"total":" 1"}"#, Counter::Unreadable),
        ("true", r#"{"total":true}"#, Counter::Unreadable),
        ("a list", r#"{"total":[1]}"#, Counter::Unreadable),
        (
            "one key twice",
            r#"{"total":1,"total":1}"#,
            Counter::Unreadable,
        ),
        ("a list for a map", "[1]", Counter::Unreadable),
        ("text for a map", r#""total""#, Counter::Unreadable),
    ];
    for (name, metadata, total) in rows {
        let facts = restore(|case| case.restore.metadata = json(metadata));
        assert_eq!(facts.counters.total, total, "{name}");
    }
}

#[test]
fn context_is_a_map_that_names_a_restore_or_not() {
    let map = |restore, scope_contradicts| ContextFacts::Map {
        restore,
        scope_contradicts,
    };
    let id = |id| NamedRestore::Id(RestoreId(id));
    let rows = [
        ("a PHP list", "[]", map(NamedRestore::Unnamed, false)),
        ("a number", r#"{"restore_run_id":7}"#, map(id(7), false)),
        (
            "a numeric string",
            r#"{"restore_run_id":"7"}"#,
            map(id(7), false),
        ),
        (
            "2^53",
            r#"{"restore_run_id":9007199254740992}"#,
            map(id(1 << 53), false),
        ),
        (
            "2^53 + 1",
            r#"{"restore_run_id":9007199254740993}"#,
            map(NamedRestore::Impossible, false),
        ),
        (
            "a fraction",
            r#"{"restore_run_id":7.5}"#,
            map(NamedRestore::Impossible, false),
        ),
        (
            "a fraction too small for a double",
            r#"{"restore_run_id":7.0000000000000000001}"#,
            map(NamedRestore::Impossible, false),
        ),
        (
            "padded",
            r#"{"restore_run_id":"\t7"}"#,
            map(NamedRestore::Impossible, false),
        ),
        (
            "a megabyte",
            &format!(r#"{{"restore_run_id":{}}}"#, huge_text()),
            map(NamedRestore::Impossible, false),
        ),
        (
            "text",
            r#"{"restore_run_id":"seven"}"#,
            map(NamedRestore::Unnamed, false),
        ),
        (
            "a list",
            r#"{"restore_run_id":[7]}"#,
            map(NamedRestore::Unnamed, false),
        ),
        (
            "another scope",
            r#"{"target_scope":{"workspace_id":3}}"#,
            map(NamedRestore::Unnamed, true),
        ),
        (
            "a scope of no meaning",
            r#"{"target_scope":{"workspace_id":{}}}"#,
            map(NamedRestore::Unnamed, true),
        ),
        ("one key twice", r#"{"a":1,"a":1}"#, ContextFacts::Malformed),
        (
            "one key twice, deep down",
            r#"{"a":[{"b":1,"b":1}]}"#,
            ContextFacts::Malformed,
        ),
        (
            "NUL, which jsonb refuses",
            r#"{"a":"\u0000"}"#,
            ContextFacts::Malformed,
        ),
        ("NUL in a key", r#"{"\u0000":1}"#, ContextFacts::Malformed),
        ("a list of one", "[1]", ContextFacts::Malformed),
        ("a number for a map", "0", ContextFacts::Malformed),
        ("empty text for a map", r#""""#, ContextFacts::Malformed),
        ("false for a map", "false", ContextFacts::Malformed),
    ];
    for (name, document, expected) in rows {
        assert_eq!(
            run(|case| case.run.context = json(document)).context,
            expected,
            "{name}"
        );
    }
}

#[test]
fn failure_summary_names_blockers_or_cannot_be_read() {
    let gate = &[ReasonCode::WriteGateBlocked][..];
    let rows: [(&str, &str, Option<&[ReasonCode]>); 21] = [
        ("null", "null", Some(&[])),
        (
            "a list of nothings",
            r#"[null,[],{},{"code":null},{"code":[],"reason_code":false}]"#,
            Some(&[]),
        ),
        (
            "numbers as codes",
            r#"[{"code":500},{"code":"x","reason_code":-1}]"#,
            Some(&[]),
        ),
        (
            "a code too long to keep",
            &format!(r#"[{{"code":{}}}]"#, huge_text()),
            Some(&[]),
        ),
        ("one entry, numbered", r#"{"code":500}"#, Some(&[])),
        ("a bare code", r#"["write_gate_blocked"]"#, None),
        ("a bare number", "[1]", None),
        (
            "a bare code among nothings",
            r#"[null,[],"write_gate_blocked"]"#,
            None,
        ),
        (
            "a list as a code",
            r#"[{"code":["write_gate_blocked"]}]"#,
            None,
        ),
        (
            "a map as a reason code",
            r#"[{"code":"x","reason_code":{"value":"write_gate_blocked"}}]"#,
            None,
        ),
        (
            "a list in a list",
            r#"[[{"code":"write_gate_blocked"}]]"#,
            None,
        ),
        (
            "one entry, a list as its code",
            r#"{"code":["write_gate_blocked"]}"#,
            None,
        ),
        (
            "a bare code under a key",
            r#"{"1":"write_gate_blocked"}"#,
            None,
        ),
        ("a code", r#"[{"code":"write_gate_blocked"}]"#, Some(gate)),
        (
            "a reason code",
            r#"[{"code":"x","reason_code":"write_gate_blocked"}]"#,
            Some(gate),
        ),
        (
            "twice the same",
            r#"[{"code":"write_gate_blocked","reason_code":"write_gate_blocked"}]"#,
            Some(gate),
        ),
        (
            "one entry outside of a list",
            r#"{"code":"write_gate_blocked"}"#,
            Some(gate),
        ),
        (
            "a map with keys",
            r#"{"1":{"code":"write_gate_blocked"}}"#,
            Some(gate),
        ),
        (
            "one key twice",
            r#"[{"code":"x","code":"write_gate_blocked"}]"#,
            None,
        ),
        ("text", r#""write_gate_blocked""#, None),
        ("a number", "1", None),
    ];
    for (name, document, blockers) in rows {
        let facts = run(|case| case.run.failure_summary = json(document));
        let found = facts.blockers_readable.then_some(facts.blockers.as_slice());
        assert_eq!(found, blockers, "{name}");
    }
}

#[test]
fn summary_counts_are_merged_or_left_alone() {
    let counted = r#""failed":0,"non_applied":0,"partial":0,"processed":2,"skipped":0,"succeeded":2,"total":2"#;
    let merged = |before: &str| Some(format!("{{{before}{counted}}}"));
    let rows = [
        ("SQL null", Column::Null, merged("")),
        ("null", json("null"), merged("")),
        ("a PHP list", json("[]"), merged("")),
        (
            "stale counts",
            json(r#"{"total":9,"succeeded":"9"}"#),
            merged(""),
        ),
        (
            "other keys",
            json(r#"{ "a" : [ 1.50, null ] }"#),
            merged(r#""a":[ 1.50, null ],"#),
        ),
        (
            "a big number",
            json(r#"{"a":12345678901234567890.10}"#),
            merged(r#""a":12345678901234567890.10,"#),
        ),
        ("a list", json("[1]"), None),
        ("text", json(r#""2 of 2""#), None),
        ("broken", json("{"), None),
        ("one key twice", json(r#"{"a":1,"a":2}"#), None),
        ("NUL", json(r#"{"a":"\u0000"}"#), None),
        ("too large to fetch", Column::Oversized, None),
    ];
    for (name, column, expected) in rows {
        let mut case = Case::proven();
        case.run.summary_counts = column;
        let written = case.record().unwrap().run.summary_counts;
        assert_eq!(
            written.map(|counts| counts.get().to_owned()),
            expected,
            "{name}"
        );
    }
}

#[test]
fn nothing_counted_is_nothing_written() {
    let mut case = Case::proven();
    case.restore.results = Column::Null;
    case.restore.metadata = json(r#"{"succeeded":"3","failed":-1,"skipped":null}"#);
    let written = case.record().unwrap().run.summary_counts.unwrap();
    assert_eq!(written.get(), r#"{"succeeded":3}"#);
    case.restore.metadata = json("[]");
    assert!(case.record().unwrap().run.summary_counts.is_none());
}

#[test]
fn facts_stay_small_whatever_the_results_hold() {
    let items: Vec<_> = (0..10_000)
        .map(|id| {
            format!(
                r#""{id}":{{"status":"{}"}}"#,
                if id % 2 == 0 { "applied" } else { "failed" }
            )
        })
        .collect();
    let ids: Vec<_> = (0..10_000).map(|id: u32| id.to_string()).collect();
    let mut case = Case::proven();
    case.items(&format!("{{{}}}", items.join(",")));
    case.restore.requested_items = json(&format!("[{}]", ids.join(",")));
    let facts: Facts = case.facts();
    let found = &facts.restore.as_ref().unwrap().items;
    assert_eq!(tallied(&found.items), "5000/0/5000/0/0/0");
    assert_eq!(found.exceptions.len(), EXCEPTIONS_MAX);
    assert_eq!(found.exceptions_omitted, 5_000 - EXCEPTIONS_MAX as u64);
    assert!(
        found
            .exceptions
            .iter()
            .all(|each| each.finding == Finding::Failed)
    );
    assert!(serde_json::to_string(&facts).unwrap().len() < 10_000);
    case.restore.metadata = Column::Null;
    assert_eq!(
        line(&case.decide()),
        "partially_succeeded restore.items_mixed"
    );
}

/// The time is printed, not asserted: machines differ.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a time is for the reader of the test's output"
)]
fn results_of_fifty_megabytes_are_read() {
    let note = "x".repeat(950);
    let count = 55_000;
    let items: Vec<_> = (0..count)
        .map(|id| format!(r#""{id}":{{"status":"applied","note":"{note}","assignment_outcomes":[{{"status":"success"}}]}}"#))
        .collect();
    let document = format!(r#"{{"items":{{{}}}}}"#, items.join(","));
    let megabytes = document.len() / 1_000_000;
    let mut case = Case::proven();
    case.restore.results = Column::Bytes(document.into_bytes());
    case.restore.requested_items = Column::Null;
    case.restore.metadata = json(&format!(r#"{{"total":{count}}}"#));
    let started = Instant::now();
    let decision = case.decide();
    eprintln!("{megabytes} MB of results in {:?}", started.elapsed());
    assert_eq!(line(&decision), "succeeded restore.proof_complete");
}
