//! Odd documents in every column, each with what it is read as. Nothing here may panic, and nothing
//! that cannot be read may pass as nothing.

use std::time::Instant;

use reconciler_jobs::json::{Column, Fault};
use reconciler_jobs::restore_execute::context::ContextFacts;
use reconciler_jobs::restore_execute::facts::{Facts, RestoreFacts, RunFacts};
use reconciler_jobs::restore_execute::results::{
    ColumnState, EXCEPTIONS_MAX, ItemFinding, MetadataCount, PartTally, RequestFault, Requested,
};

use reconciler_jobs::restore_execute::rows::SetItems;

use crate::support::{Case, json, line};

/// A tally in one line: applied/partial/failed/skipped/not applied/unrecognised.
fn tallied(tally: &PartTally) -> String {
    let PartTally {
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
    RestoreFacts::parse(&case.restore, &case.policy)
}

fn run(change: impl FnOnce(&mut Case)) -> RunFacts {
    let mut case = Case::proven();
    change(&mut case);
    RunFacts::parse(&case.run, &case.policy)
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn huge_text() -> String {
    format!("\"{}\"", "x".repeat(1 << 20))
}

/// The cells of a table's rows. `HUGE` stands for a text of a megabyte, `NESTED` for lists in each other.
fn rows<const CELLS: usize>(table: &str) -> Vec<[String; CELLS]> {
    let lines = table.lines().map(str::trim).filter(|it| !it.is_empty());
    let filled = |cell: &str| {
        cell.replace("HUGE", &huge_text())
            .replace("NESTED", &nested(61))
    };
    let cells = |line: &str| line.split(" | ").map(filled).collect::<Vec<_>>();
    lines.map(|line| cells(line).try_into().unwrap()).collect()
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
        assert_eq!(
            facts.items.reading,
            ColumnState::Unreadable(fault),
            "{name}"
        );
        assert_eq!(facts.items.items, PartTally::default(), "{name}");
        let facts = restore(|case| case.restore.requested_items = column.clone());
        assert_eq!(
            facts.items.requested,
            Requested::Unreadable(RequestFault::Column(fault)),
            "{name}"
        );
        let facts = restore(|case| case.restore.metadata = column.clone());
        assert_eq!(
            (facts.metadata_readable, facts.counters.total),
            (false, MetadataCount::Unreadable),
            "{name}"
        );
        let facts = run(|case| case.run.context = column.clone());
        assert_eq!(facts.context, ContextFacts::Malformed, "{name}");
        let facts = run(|case| case.run.failure_summary = column.clone());
        assert!(!facts.blockers_readable, "{name}");
    }
}

/// Documents in `results`: what they are read as, and the tally of their items.
const RESULTS: &str = r#"
    an empty PHP array | [] | Absent | 0/0/0/0/0/0
    an empty map | {} | Absent | 0/0/0/0/0/0
    null | null | Absent | 0/0/0/0/0/0
    a map without items | {"summary":{}} | Read | 0/0/0/0/0/0
    items null | {"items":null} | Read | 0/0/0/0/0/0
    items [] | {"items":[]} | Read | 0/0/0/0/0/0
    items as a map | {"items":{"5":{"status":"created"}}} | Read | 1/0/0/0/0/0
    items as a list | {"items":[{"status":"error"},{"status":"ignored"}]} | Read | 0/0/1/0/1/0
    one of each | {"items":[{"status":"applied"},{"status":"partial"},{"status":"failed"},{"status":"skipped"},{"status":"dry_run"},{"status":"?"}]} | Read | 1/1/1/1/1/1
    rows of wrong types | {"items":[null,1,"applied",true,[],{},{"status":["applied"]}]} | Read | 0/0/0/0/0/7
    one key twice in a row | {"items":[{"status":"applied","x":{"y":1,"y":1}}]} | Read | 0/0/0/0/0/1
    a list at the top | [{"status":"applied"}] | Unreadable(Shape) | 0/0/0/0/0/0
    text | "applied" | Unreadable(Shape) | 0/0/0/0/0/0
    items are text | {"items":"applied"} | Unreadable(Shape) | 0/0/0/0/0/0
    foundations are a number | {"items":[{"status":"applied"}],"foundations":1} | Unreadable(Shape) | 1/0/0/0/0/0
    items twice | {"items":[],"items":[{"status":"applied"}]} | Unreadable(DuplicateKey) | 0/0/0/0/0/0
    64 deep is read | {"items":[{"status":"applied","x":NESTED}]} | Read | 1/0/0/0/0/0
    a status of a megabyte | {"items":[{"status":HUGE}]} | Read | 0/0/0/0/0/1
    NUL in text | {"items":[{"status":"applied\u0000"},{"status":"applied","note":"\u0000"}]} | Read | 1/0/0/0/0/1
"#;

#[test]
fn results_are_counted_by_what_is_known() {
    for [name, document, reading, tally] in rows(RESULTS) {
        let items = restore(|case| case.restore.results = json(&document)).items;
        let found = (format!("{:?}", items.reading), tallied(&items.items));
        assert_eq!(found, (reading, tally), "{name}");
    }
}

/// Documents in an item's `assignment_summary`, and the tally of assignments.
const ASSIGNMENTS: &str = r#"
    numbers as text | {"success":"2","failed":"0"} | 2/0/0/0/0/0
    a null count | {"success":null} | 0/0/0/0/0/0
    2^53 | {"success":9007199254740992} | 9007199254740992/0/0/0/0/0
    beyond 2^53 is no count | {"success":9007199254740993} | 0/0/0/0/0/1
    sums stop at 2^53 | {"success":9007199254740992,"created":9007199254740992} | 9007199254740992/0/0/0/0/0
    negative, fraction, text | {"success":-1,"failed":0.5,"skipped":"two"} | 0/0/0/0/0/3
    a list | [1] | 0/0/0/0/0/1
    one key twice: the item says nothing | {"success":1,"success":1} | 0/0/0/0/0/0
"#;

#[test]
fn assignment_counts_are_bounded_and_exact() {
    for [name, summary, tally] in rows(ASSIGNMENTS) {
        let item = format!(r#"{{"status":"applied","assignment_summary":{summary}}}"#);
        let facts = restore(|case| case.one_item(&item));
        assert_eq!(tallied(&facts.items.assignments), tally, "{name}");
    }
}

/// Documents in `requested_items`: what they are read as, and how many ids are missing, unexpected and repeated.
const REQUESTS: &str = r#"
    null | null | BackupSet(2) | 0 0 0
    an empty PHP array | [] | Listed(0) | 0 2 0
    numbers and text | [101,"102"] | Listed(2) | 0 0 0
    a map with keys 0 and 2 | {"0":101,"2":102} | Listed(2) | 0 0 0
    one missing, one unexpected | [101,103] | Listed(2) | 1 1 0
    one id twice | [101,102,"101"] | Listed(2) | 0 0 1
    one key twice | {"0":101,"0":102} | Listed(2) | 0 0 0
    no numbers | ["policy-é"] | Listed(1) | 1 2 0
    null among the ids | [101,null] | Unreadable(Column(Shape)) | 0 0 0
    a fraction | [101.5] | Unreadable(Column(Shape)) | 0 0 0
    a fraction of nothing | [101,102.0] | Unreadable(Column(Shape)) | 0 0 0
    beyond 2^53 | [9007199254740993] | Listed(1) | 1 2 0
    beyond 64 bits | [9223372036854775808] | Unreadable(Column(Shape)) | 0 0 0
    lists | [[101],[102]] | Unreadable(Column(Shape)) | 0 0 0
    maps | [{"id":101}] | Unreadable(Column(Shape)) | 0 0 0
    text | "101" | Unreadable(Column(Shape)) | 0 0 0
    a number | 101 | Unreadable(Column(Shape)) | 0 0 0
    text of a megabyte | [HUGE] | Unreadable(Column(Shape)) | 0 0 0
"#;

#[test]
fn the_request_is_a_set_of_ids_or_unreadable() {
    for [name, document, requested, counts] in rows(REQUESTS) {
        let items = restore(|case| case.restore.requested_items = json(&document)).items;
        let found = format!("{} {} {}", items.missing, items.unexpected, items.repeated);
        let found = (format!("{:?}", items.requested), found);
        assert_eq!(found, (requested, counts), "{name}");
    }
}

/// Documents in `metadata`, and the counter `total`.
const TOTALS: &str = r#"
    absent | {} | Absent
    null | {"total":null} | Absent
    a PHP list | [] | Absent
    zero | {"total":0} | Count(0)
    minus zero | {"total":-0} | Unreadable
    text | {"total":"12"} | Count(12)
    a whole float | {"total":12.0} | Unreadable
    12e0 | {"total":12e0} | Unreadable
    a fraction too small for a double | {"total":2.00000000000000000001} | Unreadable
    2^53 | {"total":9007199254740992} | Count(9007199254740992)
    2^53 + 1 | {"total":9007199254740993} | Unreadable
    negative | {"total":-1} | Unreadable
    a fraction | {"total":1.5} | Unreadable
    a fraction as text | {"total":"1.5"} | Unreadable
    empty text | {"total":""} | Unreadable
    padded text | {"total":" 1"} | Unreadable
    true | {"total":true} | Unreadable
    a list | {"total":[1]} | Unreadable
    one key twice | {"total":1,"total":1} | Unreadable
    a list for a map | [1] | Unreadable
    text for a map | "total" | Unreadable
"#;

#[test]
fn counters_are_counts_or_unreadable_and_never_a_silent_zero() {
    for [name, metadata, total] in rows(TOTALS) {
        let facts = restore(|case| case.restore.metadata = json(&metadata));
        assert_eq!(format!("{:?}", facts.counters.total), total, "{name}");
    }
}

/// Documents in `context`, and the restore that they name.
const CONTEXTS: &str = r#"
    a PHP list | [] | Unnamed
    a number | {"restore_run_id":7} | Id(RestoreId(7))
    a numeric string | {"restore_run_id":"7"} | Id(RestoreId(7))
    2^53 | {"restore_run_id":9007199254740992} | Id(RestoreId(9007199254740992))
    2^53 + 1 | {"restore_run_id":9007199254740993} | Id(RestoreId(9007199254740993))
    2^63 | {"restore_run_id":9223372036854775808} | Impossible
    a fraction | {"restore_run_id":7.5} | Impossible
    a fraction too small for a double | {"restore_run_id":7.0000000000000000001} | Impossible
    padded | {"restore_run_id":"\t7"} | Impossible
    a megabyte | {"restore_run_id":HUGE} | Impossible
    text | {"restore_run_id":"seven"} | Unnamed
    a list | {"restore_run_id":[7]} | Unnamed
    another scope | {"target_scope":{"workspace_id":3}} | Unnamed, scope contradicts
    a scope that is no number | {"target_scope":{"workspace_id":{},"tenant_id":"e0c1"}} | Unnamed
    one key twice | {"a":1,"a":1} | Malformed
    one key twice, deep down | {"a":[{"b":1,"b":1}]} | Malformed
    NUL, which jsonb refuses | {"a":"\u0000"} | Malformed
    NUL in a key | {"\u0000":1} | Malformed
    a list of one | [1] | Malformed
    a number for a map | 0 | Malformed
    empty text for a map | "" | Malformed
    false for a map | false | Malformed
"#;

#[test]
fn context_is_a_map_that_names_a_restore_or_not() {
    for [name, document, expected] in rows(CONTEXTS) {
        let found = match run(|case| case.run.context = json(&document)).context {
            ContextFacts::Malformed => "Malformed".to_owned(),
            ContextFacts::Map {
                restore,
                scope_contradicts: false,
            } => format!("{restore:?}"),
            ContextFacts::Map { restore, .. } => format!("{restore:?}, scope contradicts"),
        };
        assert_eq!(found, expected, "{name}");
    }
}

/// Documents in `failure_summary`, and the blockers that they name.
const SUMMARIES: &str = r#"
    null | null | nothing
    a list of nothings | [null,[],{},{"code":null},{"code":[],"reason_code":false}] | nothing
    numbers as codes | [{"code":500},{"code":"x","reason_code":-1}] | nothing
    a code too long to keep | [{"code":HUGE}] | nothing
    one entry, numbered | {"code":500} | nothing
    a bare code | ["write_gate_blocked"] | unreadable
    a bare number | [1] | unreadable
    a bare code among nothings | [null,[],"write_gate_blocked"] | unreadable
    a list as a code | [{"code":["write_gate_blocked"]}] | unreadable
    a map as a reason code | [{"code":"x","reason_code":{"value":"write_gate_blocked"}}] | unreadable
    a list in a list | [[{"code":"write_gate_blocked"}]] | unreadable
    one entry, a list as its code | {"code":["write_gate_blocked"]} | unreadable
    a bare code under a key | {"1":"write_gate_blocked"} | unreadable
    a code | [{"code":"write_gate_blocked"}] | write_gate_blocked
    a reason code | [{"code":"x","reason_code":"write_gate_blocked"}] | write_gate_blocked
    twice the same | [{"code":"write_gate_blocked","reason_code":"write_gate_blocked"}] | write_gate_blocked
    one entry outside of a list | {"code":"write_gate_blocked"} | write_gate_blocked
    a map with keys | {"1":{"code":"write_gate_blocked"}} | write_gate_blocked
    one key twice | [{"code":"x","code":"write_gate_blocked"}] | unreadable
    text | "write_gate_blocked" | unreadable
    a number | 1 | unreadable
"#;

#[test]
fn failure_summary_names_blockers_or_cannot_be_read() {
    for [name, document, expected] in rows(SUMMARIES) {
        let facts = run(|case| case.run.failure_summary = json(&document));
        let found = match (facts.blockers_readable, facts.blockers.as_slice()) {
            (false, _) => "unreadable",
            (true, []) => "nothing",
            (true, [blocker]) => blocker.code(),
            (true, several) => panic!("{name}: {several:?}"),
        };
        assert_eq!(found, expected, "{name}");
    }
}

/// What `summary_counts` holds, and what becomes of it: counts are merged behind other keys, or it is left alone.
const COUNTS: &str = r#"
    SQL null | NULL | merged
    null | null | merged
    a PHP list | [] | merged
    stale counts | {"total":9,"succeeded":"9"} | merged
    other keys | { "a" : [ 1.50, null ] } | merged "a":[ 1.50, null ],
    a big number | {"a":12345678901234567890.10} | merged "a":12345678901234567890.10,
    a list | [1] | left alone
    text | "2 of 2" | left alone
    broken | { | left alone
    one key twice | {"a":1,"a":2} | left alone
    NUL | {"a":"\u0000"} | left alone
    too large to fetch | OVERSIZED | left alone
"#;

#[test]
fn summary_counts_are_merged_or_left_alone() {
    let counted = r#""failed":0,"non_applied":0,"partial":0,"processed":2,"skipped":0,"succeeded":2,"total":2"#;
    let merged = |before: &str| format!("{{{}{counted}}}", before.trim_start());
    for [name, document, expected] in rows(COUNTS) {
        let mut case = Case::proven();
        case.run.summary_counts = match document.as_str() {
            "NULL" => Column::Null,
            "OVERSIZED" => Column::Oversized,
            text => json(text),
        };
        let written = case.record().unwrap().run.summary_counts;
        let expected = expected.strip_prefix("merged").map(merged);
        let written = written.map(|counts| counts.get().to_owned());
        assert_eq!(written, expected, "{name}");
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
            .all(|each| each.finding == ItemFinding::Failed)
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
    case.restore.backup_items = SetItems::Ids((0..count).collect());
    case.restore.metadata = json(&format!(r#"{{"total":{count}}}"#));
    let started = Instant::now();
    let decision = case.decide();
    eprintln!("{megabytes} MB of results in {:?}", started.elapsed());
    assert_eq!(line(&decision), "succeeded restore.proof_complete");
}
