//! Exports that were tampered with, each with what has to be found.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use reconciler_jobs::restore_execute::canonical::{canonicalise, digest_of};
use restore_reconciler::internals::ledger::ExportEntry;
use restore_reconciler::internals::tree::facts_seal;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::ledger::{Ledger, Pooled};

/// How many verdicts the export has that is tampered with, and which of them has no facts.
const LINES: usize = 5;
const ERASED: usize = 3;

pub(crate) struct Tamper {
    pub(crate) name: String,
    pub(crate) export: Vec<u8>,
    pub(crate) trusted: Vec<String>,
    pub(crate) expected: Vec<(String, Option<u64>)>,
}

/// What is changed in a line, or in a manifest.
type Change = fn(&mut Value);

/// An export taken apart.
#[derive(Clone)]
struct Parts {
    entries: BTreeMap<String, Vec<u8>>,
    manifest: Value,
    lines: Vec<Value>,
}

impl Parts {
    fn of(export: &[u8]) -> Self {
        let mut archive = ZipArchive::new(Cursor::new(export)).unwrap();
        let mut entries = BTreeMap::new();
        for place in 0..archive.len() {
            let mut entry = archive.by_index(place).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            entries.insert(entry.name().unwrap().into_owned(), bytes);
        }
        let manifest = serde_json::from_slice(&entries.remove("manifest.json").unwrap()).unwrap();
        let lines = entries.remove("verdicts.jsonl").unwrap();
        let lines = String::from_utf8(lines).unwrap();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        Self {
            lines: lines.collect(),
            entries,
            manifest,
        }
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.entries[name].clone()).unwrap()
    }

    fn line(&mut self, number: usize) -> &mut Value {
        &mut self.lines[number - 1]
    }

    /// The lines as an entry, and a manifest that counts and digests all that there is.
    fn listed(&mut self) {
        self.put_lines();
        let is_erased = |line: &&Value| {
            !line["leaf"]["verdict"].is_null() && line["facts"].is_null() && line["salt"].is_null()
        };
        self.manifest["verdicts"] = json!(self.lines.len());
        self.manifest["erased"] = json!(self.lines.iter().filter(is_erased).count());
        let digest = |bytes: &Vec<u8>| json!(digest_of(str::from_utf8(bytes).unwrap()));
        let digests = self
            .entries
            .iter()
            .map(|(name, bytes)| (name.clone(), digest(bytes)));
        self.manifest["entries"] = Value::Object(digests.collect());
    }

    fn put_lines(&mut self) {
        let lines: Vec<_> = self.lines.iter().map(|line| format!("{line}\n")).collect();
        self.entries
            .insert("verdicts.jsonl".to_owned(), lines.concat().into_bytes());
    }

    fn zipped(&self) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let manifest = ("manifest.json", self.manifest.to_string().into_bytes());
        let entries = self
            .entries
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()));
        // One that is among the entries is there in words of its own.
        let is_made = !self.entries.contains_key(manifest.0);
        for (name, bytes) in entries.chain([manifest].into_iter().filter(|_| is_made)) {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

struct Tampers {
    base: Parts,
    trusted: Vec<String>,
    made: Vec<Tamper>,
}

/// `facts:2 entries` as findings.
fn findings(expected: &str) -> Vec<(String, Option<u64>)> {
    let all = expected
        .split_whitespace()
        .map(|finding| match finding.split_once(':') {
            Some((about, line)) => (about.to_owned(), Some(line.parse().unwrap())),
            None => (finding.to_owned(), None),
        });
    let mut all: Vec<_> = all.collect();
    all.sort();
    all.dedup();
    all
}

impl Tampers {
    /// One of whose manifest says what there is.
    fn listed(&mut self, name: &str, expected: &str, change: impl Fn(&mut Parts)) {
        let mut parts = self.base.clone();
        parts.listed();
        change(&mut parts);
        parts.listed();
        self.push(name, expected, parts.zipped());
    }

    /// One whose manifest was left as it was.
    fn unlisted(&mut self, name: &str, expected: &str, change: impl Fn(&mut Parts)) {
        let mut parts = self.base.clone();
        parts.listed();
        change(&mut parts);
        self.push(
            &format!("{name}, and the manifest is as it was"),
            expected,
            parts.zipped(),
        );
    }

    /// Both.
    fn both(&mut self, name: &str, expected: &str, change: impl Fn(&mut Parts)) {
        self.listed(name, expected, &change);
        let and_lines = |parts: &mut Parts| {
            change(parts);
            parts.put_lines();
        };
        self.unlisted(name, &format!("{expected} entries"), and_lines);
    }

    fn push(&mut self, name: &str, expected: &str, export: Vec<u8>) {
        self.made.push(Tamper {
            name: name.to_owned(),
            export,
            trusted: self.trusted.clone(),
            expected: findings(expected),
        });
    }

    /// One of all lines of `expected` with the line in the place of `{}`, and the next in that of `{next}`.
    fn each_line(&mut self, name: &str, expected: &str, change: impl Fn(&mut Value)) {
        for line in 1..=LINES {
            let expected = of_line(expected, line);
            self.both(&format!("{name} of verdict {line}"), &expected, |parts| {
                change(parts.line(line));
            });
        }
    }
}

fn of_line(expected: &str, line: usize) -> String {
    let next = if line < LINES {
        format!("chain:{}", line + 1)
    } else {
        String::new()
    };
    expected
        .replace("{next}", &next)
        .replace("{}", &line.to_string())
}

/// A field of the leaf, what stands there instead, and what is found beside that the leaf is another one: of a verdict with
/// facts, and of one without.
const FIELDS: [(&str, &str, &str, &str); 19] = [
    ("/position", "2", "", ""),
    ("/workspace", "6", "chain:{} owner:{}", "chain:{}"),
    ("/workspace_position", "9", "chain:{}", "chain:{}"),
    ("/previous_leaf", "#", "chain:{}", "chain:{}"),
    ("/verdict/decision_id", "0", "owner:{}", ""),
    ("/verdict/run", "999", "owner:{}", ""),
    ("/verdict/environment", "998", "owner:{}", ""),
    (
        "/verdict/run_created_at",
        "2020-01-01T00:00:00Z",
        "owner:{}",
        "",
    ),
    ("/verdict/revision", "2", "", ""),
    ("/verdict/first_decision_id", "0", "", ""),
    ("/verdict/outcome", "unheard_of", "verdict:{}", "verdict:{}"),
    (
        "/verdict/reason_code",
        "restore.unheard_of",
        "verdict:{}",
        "verdict:{}",
    ),
    ("/verdict/ruleset", "restore.execute/9", "rules:{}", ""),
    ("/verdict/facts_digest", "#", "facts:{}", ""),
    (
        "/verdict/decision_digest",
        "#",
        "decision:{}",
        "decision:{}",
    ),
    (
        "/verdict/decided_at",
        "2020-01-01T00:00:00Z",
        "owner:{}",
        "",
    ),
    ("/verdict/source", "command", "", ""),
    ("/verdict/worker", "somebody", "", ""),
    ("/verdict/facts_seal", "#", "facts:{}", ""),
];

fn fields(tampers: &mut Tampers) {
    for (path, instead, with_facts, without) in FIELDS {
        for line in 1..=LINES {
            let beside = if line == ERASED { without } else { with_facts };
            let expected = of_line(&format!("proof:{{}} {{next}} {beside}"), line);
            let instead = if instead == "#" {
                "a".repeat(64)
            } else {
                instead.to_owned()
            };
            tampers.both(&format!("{path} of verdict {line}"), &expected, |parts| {
                *parts.line(line)["leaf"].pointer_mut(path).unwrap() = json!(instead);
            });
        }
    }
}

fn order(tampers: &mut Tampers) {
    for line in 1..=LINES {
        // Of the last one nothing is left that would miss it.
        let expected = if line < LINES {
            format!("chain:{line}")
        } else {
            String::new()
        };
        tampers.listed(&format!("verdict {line} left out"), &expected, |parts| {
            parts.lines.remove(line - 1);
        });
        let expected = format!("{expected} manifest entries");
        tampers.unlisted(&format!("verdict {line} left out"), &expected, |parts| {
            parts.lines.remove(line - 1);
            parts.put_lines();
        });
        let twice = format!("chain:{}", line + 1);
        tampers.listed(&format!("verdict {line} twice"), &twice, |parts| {
            parts.lines.insert(line, parts.lines[line - 1].clone());
        });
    }
    for line in 1..LINES {
        let mut expected = format!("chain:{line} chain:{}", line + 1);
        if line + 2 <= LINES {
            expected = format!("{expected} chain:{}", line + 2);
        }
        tampers.both(
            &format!("verdicts {line} and {} swapped", line + 1),
            &expected,
            |parts| {
                parts.lines.swap(line - 1, line);
            },
        );
    }
}

fn contents(tampers: &mut Tampers) {
    tampers.each_line("a node of the proof", "proof:{}", |line| {
        line["proof"][0] = json!("b".repeat(64));
    });
    tampers.each_line("the last node of the proof", "proof:{}", |line| {
        line["proof"].as_array_mut().unwrap().pop();
    });
    tampers.each_line("a node after the proof", "proof:{}", |line| {
        line["proof"]
            .as_array_mut()
            .unwrap()
            .push(json!("c".repeat(64)));
    });
    tampers.each_line("the proof", "proof:{}", |line| line["proof"] = json!([]));
    for line in (1..=LINES).filter(|line| *line != ERASED) {
        let mut of = |name: &str, expected: &str, change: fn(&mut Value)| {
            let name = format!("{name} of verdict {line}");
            tampers.both(&name, &of_line(expected, line), |parts| {
                change(parts.line(line));
            });
        };
        of("a bit of the salt", "facts:{}", |line| {
            line["salt"] = json!("0");
        });
        of("the salt", "facts:{}", |line| line["salt"] = Value::Null);
        of("the facts, but not their salt,", "facts:{}", |line| {
            line["facts"] = Value::Null;
        });
        of("a blank in the facts", "facts:{}", |line| {
            line["facts"] = json!(format!("{} ", line["facts"].as_str().unwrap()));
        });
        of("a word of the facts", "facts:{} owner:{}", |line| {
            let facts = line["facts"].as_str().unwrap();
            line["facts"] = json!(facts.replace("\"processed\",", ""));
        });
        of(
            "a blank in the decision",
            "decision:{} verdict:{}",
            |line| {
                line["decision"] = json!(format!("{} ", line["decision"].as_str().unwrap()));
            },
        );
        of("the decision", "decision:{} verdict:{}", |line| {
            line["decision"] = Value::Null;
        });
    }
    // Nobody can tell from the file whether facts were erased, or left out of it.
    tampers.listed("facts left out with their salt", "", |parts| {
        parts.line(2)["facts"] = Value::Null;
        parts.line(2)["salt"] = Value::Null;
    });
    let put = |parts: &mut Parts| parts.line(3)["facts"] = json!("{}");
    tampers.listed("facts put where they were erased", "facts:3", put);
    tampers.unlisted(
        "facts put where they were erased",
        "facts:3 manifest entries",
        |parts| {
            put(parts);
            parts.put_lines();
        },
    );
    tampers.both(
        "a verdict that the leaf does not have",
        "proof:2 chain:3 decision:2",
        |parts| {
            parts.line(2)["leaf"]["verdict"] = Value::Null;
        },
    );
}

fn lines(tampers: &mut Tampers) {
    let unreadable: [(&str, Change); 7] = [
        ("no map", |line| *line = json!("verdict")),
        ("a key too many", |line| line["more"] = json!(1)),
        ("a key of the leaf too many", |line| {
            line["leaf"]["more"] = json!("1");
        }),
        ("a key too few", |line| {
            drop(line.as_object_mut().unwrap().remove("salt"));
        }),
        ("a number for a text", |line| {
            line["leaf"]["position"] = json!(3);
        }),
        ("a place that is none", |line| {
            line["leaf"]["position"] = json!("03");
        }),
        ("a node that is none", |line| {
            line["proof"][0] = json!("B".repeat(64));
        }),
    ];
    for (name, change) in unreadable {
        tampers.both(&format!("a line with {name}"), "line:2", |parts| {
            change(parts.line(2));
        });
    }
    tampers.unlisted("a line that is too long", "archive entries", |parts| {
        let blank = vec![b' '; (16 << 20) + 1];
        parts.entries.insert("verdicts.jsonl".to_owned(), blank);
    });
    tampers.unlisted("no verdict", "manifest entries", |parts| {
        parts
            .entries
            .insert("verdicts.jsonl".to_owned(), Vec::new());
    });
}

/// The same in other words, which is another text: there is one for each value.
fn words(tampers: &mut Tampers) {
    let lines = [
        ("a blank", "{\"decision\"", "{ \"decision\""),
        (
            "a key twice",
            "{\"decision\"",
            "{\"decision\":null,\"decision\"",
        ),
        ("an escape", "\"facts\"", "\"\\u0066acts\""),
        ("its end left out", "}\n", "}"),
    ];
    for (name, from, to) in lines {
        tampers.unlisted(
            &format!("{name} in the last line"),
            "line:5 entries",
            |parts| {
                parts.put_lines();
                let text = parts.text("verdicts.jsonl");
                let (before, last) = text.split_at(text.trim_end().rfind('\n').unwrap() + 1);
                let last = last.replacen(from, to, 1);
                let text = format!("{before}{last}");
                parts
                    .entries
                    .insert("verdicts.jsonl".to_owned(), text.into_bytes());
            },
        );
    }
    let manifests = [
        ("a blank", "{\"entries\"", "{ \"entries\""),
        ("a fraction", "\"format\":2", "\"format\":2.0"),
        ("a zero below zero", "\"erased\":1", "\"erased\":-0"),
        (
            "a count beyond 2^53",
            "\"erased\":1",
            "\"erased\":9007199254740993",
        ),
        ("a key twice", "{\"entries\"", "{\"format\":2,\"entries\""),
    ];
    for (name, from, to) in manifests {
        tampers.unlisted(&format!("a manifest with {name}"), "manifest", |parts| {
            let text = parts.manifest.to_string();
            assert!(text.contains(from), "{text}");
            let text = text.replacen(from, to, 1).into_bytes();
            parts.entries.insert("manifest.json".to_owned(), text);
        });
    }
}

/// Nothing would say of which workspace it is.
fn without_a_verdict(tampers: &mut Tampers) {
    tampers.unlisted(
        "no verdict, and none counted",
        "manifest entries",
        |parts| {
            parts
                .entries
                .insert("verdicts.jsonl".to_owned(), Vec::new());
            parts.manifest["verdicts"] = json!(0);
            parts.manifest["erased"] = json!(0);
        },
    );
}

fn manifests(tampers: &mut Tampers) {
    without_a_verdict(tampers);
    let all_lines = (1..=LINES).map(|line| format!("chain:{line} "));
    let all_lines = all_lines.collect::<Vec<_>>().concat();
    let rows: [(&str, &str, Change); 17] = [
        ("another format", "manifest", |it| it["format"] = json!(1)),
        ("a format that is a text", "manifest", |it| {
            it["format"] = json!("2");
        }),
        ("a key too many", "manifest", |it| it["more"] = json!(1)),
        ("a key too few", "manifest", |it| {
            drop(it.as_object_mut().unwrap().remove("since"));
        }),
        ("a count below zero", "manifest", |it| {
            it["verdicts"] = json!(-1);
        }),
        ("a digest that is none", "manifest", |it| {
            it["entries"]["report.html"] = json!("0");
        }),
        ("no map", "manifest", |it| *it = json!([])),
        ("a verdict too many", "manifest", |it| {
            it["verdicts"] = json!(6);
        }),
        ("an erased one too few", "manifest", |it| {
            it["erased"] = json!(0);
        }),
        ("another origin", "checkpoint", |it| {
            it["origin"] = json!("elsewhere");
        }),
        ("another size", "checkpoint", |it| it["size"] = json!(11)),
        ("another workspace", "all", |it| {
            it["workspace"] = json!("6");
        }),
        ("a later beginning", "", |it| {
            it["since"] = json!("2026-01-01T00:00:00Z");
        }),
        ("a beginning without a word", "", |it| {
            it["since"] = json!("");
        }),
        ("a workspace that is a sentence", "manifest", |it| {
            it["workspace"] = json!("3 of elsewhere: 500 verdicts,\n5 of");
        }),
        ("a workspace of five thousand digits", "manifest", |it| {
            it["workspace"] = json!("9".repeat(5_000));
        }),
        ("an entry that is not there", "entries", |it| {
            it["entries"]["more"] = json!("a".repeat(64));
        }),
    ];
    for (name, expected, change) in rows {
        let expected = if expected == "all" {
            &all_lines
        } else {
            expected
        };
        tampers.unlisted(&format!("a manifest with {name}"), expected, |parts| {
            change(&mut parts.manifest);
        });
    }
    for (name, path) in [
        ("above", "../../evil"),
        ("from the root", "/etc/evil"),
        ("beside", "evil.txt"),
    ] {
        tampers.unlisted(&format!("an entry {name}"), "entries", |parts| {
            parts.entries.insert(path.to_owned(), b"evil".to_vec());
        });
        // It is read for its digest, and never unpacked.
        tampers.listed(&format!("an entry {name} that is listed"), "", |parts| {
            parts.entries.insert(path.to_owned(), b"evil".to_vec());
        });
    }
    for name in ["checkpoints.txt", "report.html", "verdicts.jsonl"] {
        tampers.unlisted(&format!("no {name}"), "entries", |parts| {
            drop(parts.entries.remove(name));
        });
    }
    tampers.unlisted("another report", "entries", |parts| {
        parts
            .entries
            .insert("report.html".to_owned(), b"all is well".to_vec());
    });
    tampers.unlisted("too many entries", "archive", |parts| {
        for number in 0..16 {
            parts.entries.insert(format!("{number}"), Vec::new());
        }
    });
    tampers.unlisted(
        "a checkpoint that is too large",
        "archive entries",
        |parts| {
            parts
                .entries
                .insert("checkpoints.txt".to_owned(), vec![b'\n'; (16 << 20) + 1]);
        },
    );
}

fn tables(tampers: &mut Tampers) {
    let lines = [[2, 5], [1, 4]];
    for (ruleset, lines) in (1..).zip(lines) {
        let json = format!("rules/restore.execute-{ruleset}.json");
        let text = format!("rules/restore.execute-{ruleset}.txt");
        let expected = lines.map(|line| format!("rules:{line}")).join(" ");
        tampers.listed(&format!("no {json}"), &expected, |parts| {
            drop(parts.entries.remove(&json));
        });
        tampers.both(
            &format!("another {json}"),
            &format!("rules {expected}"),
            |parts| {
                let other = parts.text(&json).replace("\"failed\"", "\"succeeded\"");
                parts.entries.insert(json.clone(), other.into_bytes());
            },
        );
        tampers.unlisted(&format!("another {text}"), "entries", |parts| {
            parts.entries.insert(text.clone(), b"all is well".to_vec());
        });
    }
}

fn archives(tampers: &mut Tampers) {
    let whole = tampers.base.zipped();
    for (name, cut) in [
        ("half", whole.len() / 2),
        ("all but a byte", whole.len() - 1),
        ("nothing", 0),
        ("a byte", 1),
    ] {
        tampers.push(
            &format!("{name} of the archive"),
            "archive",
            whole[..cut].to_vec(),
        );
    }
    tampers.push("no archive", "archive", b"verdicts".repeat(100));
    let mut parts = tampers.base.clone();
    parts.listed();
    parts
        .entries
        .insert("report.htmx".to_owned(), b"twice".to_vec());
    let mut twice = parts.zipped();
    while let Some(at) = twice.windows(11).position(|name| name == b"report.htmx") {
        twice[at + 10] = b'l';
    }
    tampers.push("an entry twice", "archive", twice);
}

/// An entry as it is packed: its name, its deflated bytes, how long they are without that, and their CRC.
type Packed = (String, Vec<u8>, u32, u32);

fn pack(entries: &[Packed]) -> Vec<u8> {
    let long = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, packed, size, crc) in entries {
        // A version, no flags, deflated, without a date, and nothing beside the name.
        let mut said = vec![20, 0, 0, 0, 8, 0, 0, 0, 33, 0];
        said.extend(
            [
                crc.to_le_bytes(),
                long(packed),
                size.to_le_bytes(),
                long(name.as_bytes()),
            ]
            .concat(),
        );
        let line = [
            b"PK\x01\x02\x14\0",
            said.as_slice(),
            &[0; 10],
            &long(&file),
            name.as_bytes(),
        ];
        directory.extend(line.concat());
        file.extend([b"PK\x03\x04", said.as_slice(), name.as_bytes(), packed].concat());
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let at = [long(&directory), long(&file)].concat();
    let end = [
        b"PK\x05\x06\0\0\0\0",
        count.as_slice(),
        &count,
        &at,
        b"\0\0",
    ];
    [file, directory, end.concat()].concat()
}

/// What is changed of an entry: in its header, in the directory, or in both; from which byte of its header on; and to what.
const PACKINGS: [(&str, &str, usize, &[u8]); 19] = [
    ("an encrypted entry", "both", 6, &[1, 0]),
    ("a length that follows", "both", 6, &[8, 0]),
    ("a patch", "both", 6, &[32, 0]),
    ("a name in Unicode", "both", 6, &[0, 8]),
    ("an encrypted header", "header", 6, &[1, 0]),
    ("a stored entry", "both", 8, &[0, 0]),
    (
        "an entry that is stored in its header",
        "header",
        8,
        &[0, 0],
    ),
    ("another method", "both", 8, &[12, 0]),
    ("another date in its header", "header", 12, &[99]),
    ("another sum", "both", 14, &[1, 2, 3, 4]),
    ("another sum in its header", "header", 14, &[1, 2, 3, 4]),
    ("another length in its header", "header", 18, &[0, 0]),
    ("another length in the directory", "directory", 18, &[0, 0]),
    ("more than it says", "both", 22, &[1, 0]),
    ("less than it says", "both", 22, &[255, 255, 15]),
    ("more than there may be", "both", 22, &[255, 255, 255, 255]),
    ("another name in its header", "header", 30, b"R"),
    ("something beside its name", "both", 28, &[1, 0]),
    ("a name that is not plain", "both", 30, b"\xc3"),
];

fn packings(tampers: &mut Tampers) {
    let mut parts = tampers.base.clone();
    parts.listed();
    let manifest = parts.manifest.to_string().into_bytes();
    parts.entries.insert("manifest.json".to_owned(), manifest);
    let entries = parts.entries.iter().map(|(name, bytes)| {
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflated.write_all(bytes).unwrap();
        let mut crc = Crc::new();
        crc.update(bytes);
        let size = u32::try_from(bytes.len()).unwrap();
        (name.clone(), deflated.finish().unwrap(), size, crc.sum())
    });
    let entries: Vec<Packed> = entries.collect();
    let whole = pack(&entries);
    tampers.push("nothing, packed by another program", "", whole.clone());
    let at = |mark: &[u8], name_at: usize| {
        let is_it = |at: &usize| {
            whole[*at..].starts_with(mark) && whole[at + name_at..].starts_with(b"report.html")
        };
        (0..whole.len() - name_at).find(is_it).unwrap()
    };
    let (header, line) = (at(b"PK\x03\x04", 30), at(b"PK\x01\x02", 46));
    for (name, place, at, bytes) in PACKINGS {
        let mut export = whole.clone();
        let mut put = |from: usize| export[from..from + bytes.len()].copy_from_slice(bytes);
        if place != "directory" {
            put(header + at);
        }
        if place != "header" {
            put(line + if at < 30 { at + 2 } else { at + 16 });
        }
        tampers.push(name, "archive", export);
    }
    let mut with = |name: &str, expected: &str, change: fn(&mut Vec<Packed>)| {
        let mut entries = entries.clone();
        change(&mut entries);
        tampers.push(name, expected, pack(&entries));
    };
    with("a byte after the end of an entry", "archive", |it| {
        it[1].1.push(0);
    });
    with("an entry that does not end", "archive", |it| {
        // Of one block, which says that more follow.
        it[1] = (
            it[1].0.clone(),
            b"\0\x01\0\xfe\xffx".to_vec(),
            1,
            0x8cdc_1683,
        );
    });
    with("an entry of nothing that does not end", "archive", |it| {
        it[1] = (it[1].0.clone(), Vec::new(), 0, 0);
    });
    with("an entry in two blocks", "entries checkpoint", |it| {
        it[1] = (
            it[1].0.clone(),
            b"\0\x01\0\xfe\xffx\x03\0".to_vec(),
            1,
            0x8cdc_1683,
        );
    });
    with(
        "an entry that refers to before its beginning",
        "archive",
        |it| it[1].1 = vec![0x03, 0x01, 0x01],
    );
    with("the same entry twice", "archive", |it| {
        it.push(it[1].clone());
    });
    with("no manifest", "archive", |it| {
        it.retain(|it| it.0 != "manifest.json");
    });
    let count = whole.len() - 22;
    let mut edited = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut export = whole.clone();
        change(&mut export);
        tampers.push(name, "archive", export);
    };
    edited("something before it", &|it| {
        drop(it.splice(0..0, *b"#!/bin/sh\n"));
    });
    edited("something after it", &|it| it.push(0));
    edited("a remark", &|it| {
        let end = it.len();
        it.splice(end - 2..end, *b"\x02\0hi");
    });
    edited("another archive after it", &|it| it.extend(it.clone()));
    edited("an entry that is not in the directory", &|it| {
        it[count + 8] -= 1;
        it[count + 10] -= 1;
    });
    edited("more entries than there are", &|it| it[count + 10] += 1);
    edited("another disk", &|it| it[count + 4] += 1);
    // What stands between the entries and the directory is in neither.
    edited("something before the directory", &|it| {
        let begin = u32::from_le_bytes(it[count + 16..count + 20].try_into().unwrap());
        it.splice(count + 16..count + 20, (begin + 1).to_le_bytes());
        it.insert(begin as usize, 0);
    });
}

/// What only a signature shows, or does not.
fn checkpoints(signed: &mut Tampers, unsigned: &mut Tampers, other: &str) {
    let proofs = (1..=LINES).map(|line| format!("proof:{line} "));
    let proofs = proofs.collect::<Vec<_>>().concat();
    let replace = |from: String, to: &str| {
        let to = to.to_owned();
        move |parts: &mut Parts| {
            let text = parts.text("checkpoints.txt").replacen(&from, &to, 1);
            parts
                .entries
                .insert("checkpoints.txt".to_owned(), text.into_bytes());
        }
    };
    // The last: three lines, an empty one, its signature, an empty one.
    let notes = signed.base.text("checkpoints.txt");
    let note: Vec<&str> = notes.lines().collect();
    let note = &note[note.len() - 6..];
    let (root, signature) = (
        note[2].to_owned(),
        note[4].rsplit_once(' ').unwrap().1.to_owned(),
    );
    let (name, zeros) = (note[0].to_owned(), "A".repeat(43) + "=");
    let flipped = signature.replacen(
        &signature[20..22],
        if &signature[20..22] == "AA" {
            "BB"
        } else {
            "AA"
        },
        1,
    );
    let in_note = format!("\n{signature}").replace('\n', "");
    signed.listed(
        "another root",
        &format!("signature checkpoint {proofs}"),
        replace(root.clone(), &zeros),
    );
    signed.listed(
        "another signature",
        "signature",
        replace(in_note.clone(), &flipped),
    );
    signed.listed(
        "no signature",
        "signature",
        replace(format!("\n\u{2014} {name} {signature}\n"), ""),
    );
    signed.listed(
        "a signature that says another name",
        "signature",
        replace(
            format!("\u{2014} {name} {signature}"),
            &format!("\u{2014} somebody {signature}"),
        ),
    );
    signed.listed(
        "another origin",
        "signature checkpoint",
        replace(name.clone(), "elsewhere"),
    );
    signed.listed("no checkpoint", "checkpoint", |parts| {
        parts
            .entries
            .insert("checkpoints.txt".to_owned(), b"\n".to_vec());
    });
    let expected = format!("checkpoint {proofs}");
    unsigned.listed("another root, unsigned", &expected, replace(root, &zeros));
    unsigned.listed(
        "another origin, unsigned",
        "checkpoint",
        replace(name, "elsewhere"),
    );
    // A root does not say how many leaves there are. The signature does.
    unsigned.listed("another size, unsigned", "proof:5", |parts| {
        replace("\n12\n".to_owned(), "\n13\n")(parts);
        parts.manifest["size"] = json!(13);
    });
    for (what, text) in [
        ("garbage", "no checkpoint"),
        ("two lines", "origin\n12\n"),
        ("a size that is none", "origin\n012\nAAAA\n"),
    ] {
        unsigned.listed(&format!("a checkpoint of {what}"), "checkpoint", |parts| {
            parts
                .entries
                .insert("checkpoints.txt".to_owned(), text.as_bytes().to_vec());
        });
    }
    let trusted = std::mem::replace(&mut signed.trusted, vec![other.to_owned()]);
    signed.listed("the signature of another key", "signature", |_| {});
    signed.trusted = vec![other.to_owned(), trusted[0].clone()];
    signed.listed("a trusted key among two", "", |_| {});
    signed.trusted.clear();
    signed.listed("a signature, and no key to check it with", "", |_| {});
    signed.trusted = trusted.clone();
    unsigned.trusted = trusted;
    unsigned.listed(
        "no signature at all, and a key to check it with",
        "signature",
        |_| {},
    );
    unsigned.trusted.clear();
}

/// Signatures that somebody added, and notes that are not as they were written.
fn signatures(tampers: &mut Tampers) {
    let text = tampers.base.text("checkpoints.txt");
    let last = text.trim_end().rsplit('\n').next().unwrap().to_owned();
    let broken = last.replacen(&last[last.len() - 9..last.len() - 5], "AAAA", 1);
    let by = |number: u8, signature: &str| format!("\u{2014} witness{number} {signature}\n");
    let by = |all: u8| {
        (1..=all)
            .map(|number| by(number, "AAAAAAAA"))
            .collect::<String>()
    };
    let rows = [
        (
            "the same signature twice",
            "checkpoint",
            format!("{text}{last}\n\n"),
        ),
        (
            "a signature that is broken beside the same key's",
            "checkpoint",
            format!("{text}{broken}\n\n"),
        ),
        ("99 signatures of others", "", format!("{text}{}\n", by(99))),
        (
            "100 signatures of others",
            "checkpoint",
            format!("{text}{}\n", by(100)),
        ),
        (
            "a signature of nothing",
            "checkpoint",
            format!("{text}\u{2014} witness AAAA\n\n"),
        ),
        (
            "a signature of no base64",
            "checkpoint",
            format!("{text}\u{2014} witness AAAAAAAB=\n\n"),
        ),
        (
            "a signature by two words",
            "checkpoint",
            format!("{text}\u{2014} a witness AAAAAAAA\n\n"),
        ),
        (
            "a line that is no signature",
            "checkpoint",
            format!("{text}witness AAAAAAAA\n\n"),
        ),
        ("an empty line before", "checkpoint", format!("\n{text}\n")),
        ("an empty line after", "checkpoint", format!("{text}\n\n")),
        ("no empty line after", "checkpoint", text.clone()),
        (
            "a carriage return",
            "checkpoint",
            format!("{text}\n").replacen('\n', "\r\n", 1),
        ),
    ];
    for (name, expected, text) in rows {
        // Of the last checkpoint, whose end is the empty line that each row writes itself.
        let text = text.replacen(&format!("{last}\n\n"), &format!("{last}\n"), 1);
        tampers.listed(&format!("checkpoints with {name}"), expected, |parts| {
            parts
                .entries
                .insert("checkpoints.txt".to_owned(), text.clone().into_bytes());
        });
    }
}

/// What is changed in the proofs between checkpoints.
type ProofsChange = fn(&mut Vec<Vec<String>>);

/// Checkpoints before the last, and the proofs that each goes on from the one before.
fn consistency(tampers: &mut Tampers, is_signed: bool) {
    let proofs = tampers.base.text("consistency.json");
    let proofs: Vec<Vec<String>> = serde_json::from_str(&proofs).unwrap();
    let changes: [(&str, ProofsChange); 7] = [
        ("another node", |it| it[0][0] = "b".repeat(64)),
        ("a node too few", |it| drop(it[1].pop())),
        ("a node too many", |it| it[1].push("c".repeat(64))),
        ("a node that is none", |it| it[1][0] = "B".repeat(64)),
        ("no nodes", |it| it[1].clear()),
        ("one too few", |it| drop(it.pop())),
        ("the other's place", |it| it.swap(0, 1)),
    ];
    for (name, change) in changes {
        let mut proofs = proofs.clone();
        change(&mut proofs);
        let text = serde_json::to_vec(&proofs).unwrap();
        tampers.both(
            &format!("proofs between checkpoints with {name}"),
            "checkpoint",
            |parts| {
                parts
                    .entries
                    .insert("consistency.json".to_owned(), text.clone());
            },
        );
    }
    tampers.listed(
        "proofs between checkpoints that are none",
        "checkpoint",
        |parts| {
            parts
                .entries
                .insert("consistency.json".to_owned(), b"[".to_vec());
        },
    );
    let text = tampers.base.text("checkpoints.txt");
    let lines = if is_signed { 6 } else { 4 };
    let lines_of = |from: usize, to: usize| {
        let lines = text
            .split_inclusive('\n')
            .skip(from * lines)
            .take((to - from) * lines);
        lines.collect::<String>()
    };
    let root = text.lines().nth(lines + 2).unwrap();
    let (signature, all) = (if is_signed { "signature " } else { "" }, 3);
    let rows = [
        (
            "another root of the second",
            format!("{signature}checkpoint"),
            text.replacen(root, &("A".repeat(43) + "="), 1),
        ),
        (
            "another size of the second",
            format!("{signature}checkpoint"),
            text.replacen("\n8\n", "\n9\n", 1),
        ),
        (
            "the second left out",
            "checkpoint".to_owned(),
            lines_of(0, 1) + &lines_of(2, all),
        ),
        (
            "the first left out",
            "checkpoint".to_owned(),
            lines_of(1, all),
        ),
        (
            "the first two swapped",
            "checkpoint".to_owned(),
            lines_of(1, 2) + &lines_of(0, 1) + &lines_of(2, all),
        ),
        (
            "the second twice",
            "checkpoint".to_owned(),
            lines_of(0, 2) + &lines_of(1, all),
        ),
    ];
    for (name, expected, text) in rows {
        tampers.listed(&format!("checkpoints with {name}"), &expected, |parts| {
            parts
                .entries
                .insert("checkpoints.txt".to_owned(), text.clone().into_bytes());
        });
    }
    let name = "proofs that cannot be read, of one checkpoint";
    tampers.listed(name, "checkpoint", |parts| {
        let last = lines_of(2, all).into_bytes();
        parts.entries.insert("checkpoints.txt".to_owned(), last);
        parts
            .entries
            .insert("consistency.json".to_owned(), b"null".to_vec());
    });
}

impl Tampers {
    /// One of which all was made anew after the change.
    fn anew(
        &mut self,
        pool: &[Pooled],
        name: &str,
        expected: &str,
        change: impl Fn(&mut Vec<ExportEntry>),
    ) {
        let mut ledger = Ledger::fixed(pool, None);
        change(&mut ledger.entries);
        ledger.make_anew();
        let name = format!("{name}, and all made anew");
        self.push(&name, expected, ledger.export());
    }
}

fn with_facts(entry: &mut ExportEntry, facts: String) {
    let verdict = entry.leaf.verdict.as_mut().unwrap();
    verdict.facts_digest = digest_of(&facts);
    let salt = entry.salt.as_ref();
    verdict.facts_seal = salt.map(|salt| facts_seal(salt, &verdict.facts_digest));
    verdict.decision_id = verdict.facts_digest[..32].to_owned();
    entry.facts = Some(facts);
}

/// The same in other words, and moments at both ends of time.
fn made_anew_in_other_words(tampers: &mut Tampers, pool: &[Pooled]) {
    let mut anew = |name: &str, expected: &str, change: &dyn Fn(&mut Vec<ExportEntry>)| {
        tampers.anew(pool, name, expected, change);
    };
    for (name, more) in [
        ("a zero below zero", "-0".to_owned()),
        ("a fraction", "1.0".to_owned()),
        ("a blank", " 1".to_owned()),
        ("lists in lists", "[".repeat(127) + &"]".repeat(127)),
    ] {
        // Nobody can judge it again, so all that is left is what it says.
        anew(
            &format!("a decision with {name}"),
            "verdict:3",
            &|entries| {
                let decision = entries[2].decision.clone().unwrap();
                let decision = decision.replacen('{', &format!("{{\"more\":{more},"), 1);
                entries[2].leaf.verdict.as_mut().unwrap().decision_digest = digest_of(&decision);
                entries[2].decision = Some(decision);
            },
        );
    }
    anew("a zero below zero in the facts", "facts:1", &|entries| {
        let facts = entries[0].facts.clone().unwrap();
        with_facts(
            &mut entries[0],
            facts.replacen("\"missing\":0", "\"missing\":-0", 1),
        );
    });
    // What can be read gives another verdict.
    for (moment, expected) in [
        ("9999-12-30T22:00:00.999999999Z", "verdict:1"),
        ("9999-12-30T22:00:01Z", "facts:1"),
        ("9999-12-31T23:59:59Z", "facts:1"),
        ("0000-02-29T00:00:00Z", "verdict:1"),
        ("-000044-03-15T11:00:00Z", "verdict:1"),
        ("-009999-01-02T01:59:59Z", "verdict:1"),
        ("-009999-01-02T01:59:58Z", "facts:1"),
        ("-000000-01-01T00:00:00Z", "facts:1"),
        ("2026-11-29T01:13:60Z", "facts:1"),
    ] {
        anew(&format!("facts from {moment}"), expected, &|entries| {
            let mut facts: Value =
                serde_json::from_str(entries[0].facts.as_ref().unwrap()).unwrap();
            facts["evidence"]["active"]["generated_at"] = json!({ "at": moment });
            with_facts(&mut entries[0], canonicalise(&facts).unwrap().text);
        });
    }
}

/// What somebody can make who can write everything anew but for a signature.
fn made_anew(tampers: &mut Tampers, pool: &[Pooled]) {
    let mut anew = |name: &str, expected: &str, change: &dyn Fn(&mut Vec<ExportEntry>)| {
        tampers.anew(pool, name, expected, change);
    };
    anew("nothing changed", "", &|_| {});
    anew("a verdict left out", "", &|entries| drop(entries.remove(1)));
    anew("a reason rewritten", "verdict:1", &|entries| {
        entries[0].leaf.verdict.as_mut().unwrap().reason_code = "restore.aborted".to_owned();
    });
    anew("a decision rewritten", "verdict:2", &|entries| {
        let decision = entries[0].decision.clone().unwrap();
        entries[1].leaf.verdict.as_mut().unwrap().decision_digest = digest_of(&decision);
        entries[1].decision = Some(decision);
    });
    anew("another run", "owner:1", &|entries| {
        entries[0].leaf.verdict.as_mut().unwrap().run = "999".to_owned();
    });
    anew("a blank in the facts", "facts:1", &|entries| {
        let facts = entries[0].facts.clone().unwrap() + " ";
        with_facts(&mut entries[0], facts);
    });
    let edits: [(&str, &str, &str); 7] = [
        (
            "a length of too many hours",
            "\"PT2562047788015216H\"",
            "/policy/settle_window",
        ),
        ("a key too many", "", "/more"),
        ("a count below zero", "-1", "/restore/items/missing"),
        ("a status that is none", "\"Completed\"", "/restore/status"),
        (
            "a moment that is none",
            "{\"at\":\"2026-02-30T00:00:00Z\"}",
            "/restore/started_at",
        ),
        (
            "a length in another form",
            "\"PT60M\"",
            "/policy/settle_window",
        ),
        ("an id that is none", "\"7\"", "/restore/id"),
    ];
    for (name, value, path) in edits {
        anew(&format!("facts with {name}"), "facts:1", &|entries| {
            let mut facts: Value =
                serde_json::from_str(entries[0].facts.as_ref().unwrap()).unwrap();
            match facts.pointer_mut(path) {
                Some(place) => *place = serde_json::from_str(value).unwrap(),
                None => facts["more"] = json!(1),
            }
            with_facts(&mut entries[0], canonicalise(&facts).unwrap().text);
        });
    }
}

/// All of them.
pub(crate) fn all(pool: &[Pooled]) -> Vec<Tamper> {
    let (key, other) = (Ledger::key(), Ledger::key());
    let of = |ledger: &Ledger, trusted: &[&String]| Tampers {
        base: Parts::of(&ledger.export()),
        trusted: trusted.iter().map(|key| (*key).clone()).collect(),
        made: Vec::new(),
    };
    let mut signed = of(&Ledger::fixed(pool, Some(&key.private)), &[&key.public]);
    let mut unsigned = of(&Ledger::fixed(pool, None), &[]);
    signed.listed("nothing", "", |_| {});
    unsigned.listed("nothing, unsigned", "", |_| {});
    fields(&mut signed);
    order(&mut signed);
    contents(&mut signed);
    lines(&mut signed);
    words(&mut signed);
    manifests(&mut signed);
    tables(&mut signed);
    archives(&mut signed);
    packings(&mut signed);
    signatures(&mut signed);
    consistency(&mut signed, true);
    consistency(&mut unsigned, false);
    checkpoints(&mut signed, &mut unsigned, &other.public);
    made_anew(&mut unsigned, pool);
    made_anew_in_other_words(&mut unsigned, pool);
    signed.made.append(&mut unsigned.made);
    signed.made
}
