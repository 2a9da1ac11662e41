//! Exports that were tampered with, each with what has to be found.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

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
        for (name, bytes) in entries.chain([manifest]) {
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
    let rows: [(&str, &str, Change); 16] = [
        ("another format", "manifest", |it| it["format"] = json!(2)),
        ("a format that is a text", "manifest", |it| {
            it["format"] = json!("1");
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
    let note = signed.base.text("checkpoints.txt");
    let note: Vec<&str> = note.lines().collect();
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
        &format!("signature {proofs}"),
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
        replace(format!("\u{2014} {name}"), "\u{2014} somebody"),
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
    unsigned.listed("another root, unsigned", &proofs, replace(root, &zeros));
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

/// What somebody can make who can write everything anew but for a signature.
fn made_anew(tampers: &mut Tampers, pool: &[Pooled]) {
    let mut anew = |name: &str, expected: &str, change: &dyn Fn(&mut Vec<ExportEntry>)| {
        let mut ledger = Ledger::fixed(pool, None);
        change(&mut ledger.entries);
        ledger.make_anew();
        tampers.push(
            &format!("{name}, and all made anew"),
            expected,
            ledger.export(),
        );
    };
    let with_facts = |entry: &mut ExportEntry, facts: String| {
        let verdict = entry.leaf.verdict.as_mut().unwrap();
        verdict.facts_digest = digest_of(&facts);
        verdict.facts_seal = entry
            .salt
            .as_ref()
            .map(|salt| facts_seal(salt, &verdict.facts_digest));
        verdict.decision_id = verdict.facts_digest[..32].to_owned();
        entry.facts = Some(facts);
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
    let edits: [(&str, &str, &str); 6] = [
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
    manifests(&mut signed);
    tables(&mut signed);
    archives(&mut signed);
    checkpoints(&mut signed, &mut unsigned, &other.public);
    made_anew(&mut unsigned, pool);
    signed.made.append(&mut unsigned.made);
    signed.made
}
