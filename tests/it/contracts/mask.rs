//! What differs between two runs of the program over the same rows: moments, digests, ids made of chance, durations.

use jiff::Timestamp;

/// Characters that the words consist of that are looked at.
fn is_of_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_:.+-".contains(character)
}

/// The text, with a name in the place of each word that differs between runs.
pub(super) fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = split_at(rest, |character| !is_of_a_word(character));
        masked.push_str(name_of(word).unwrap_or(word));
        let (between, after) = split_at(after, is_of_a_word);
        masked.push_str(between);
        rest = after;
    }
    let masked = without_numbers_after("_ms\": ", &masked);
    let masked = without_numbers_after("_age_s\": ", &masked);
    let masked = without_between(&masked, "\"took\": \"", "\"");
    let masked = without_between(&masked, ">Decided ", "</p>");
    // Charts go by today's date, bars by moments, and sweeps take as long as they take.
    let masked = without_between(&masked, "<div class=\"plot\">", "</figure>");
    let masked = without_between(&masked, "<table class=\"spans\">", "</table>");
    let masked = without_between(&masked, "<h2 id=\"sweeps\">", "</section>");
    // Which rules a worker goes by is known a moment after the worker is.
    let masked = without_between(&masked, "<h2 id=\"workers\">", "</section>");
    let verbs = ["command line", "at once", "retried", "given up"];
    verbs.iter().fold(masked, |masked, verb| {
        without_between(&masked, &format!("{verb} by "), ":")
    })
}

fn split_at(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// The name for a word that differs between runs.
fn name_of(word: &str) -> Option<&'static str> {
    let is_of = |of: fn(char) -> bool| word.chars().all(of);
    match word.len() {
        _ if word.starts_with("rrt_") => Some("TOKEN"),
        _ if is_of_a_process(word) => Some("WORKER"),
        20.. if word.trim_end_matches('.').parse::<Timestamp>().is_ok() => Some("MOMENT"),
        32 | 64 if is_of(|character| character.is_ascii_hexdigit()) => Some("HEX"),
        // With the full stop of a sentence, perhaps.
        36 | 37 if is_of(|it| it.is_ascii_hexdigit() || "-.".contains(it)) => Some("INSTALL_ID"),
        26 if is_of(|it| it.is_ascii_uppercase() || it.is_ascii_digit()) => Some("JOB"),
        10 if is_shaped(word, "0000-00-00") => Some("DATE"),
        8 if is_shaped(word, "00:00:00") => Some("TIME"),
        5 if is_shaped(word, "00:00") => Some("TIME"),
        _ => None,
    }
}

/// Whether the word is the name of a worker: a host, a process and when that started, in microseconds.
fn is_of_a_process(word: &str) -> bool {
    let mut parts = word.rsplit('-');
    let [started, process] = [(); 2].map(|()| parts.next().unwrap_or_default());
    let is_number = |part: &str| part.parse::<u64>().is_ok();
    started.len() >= 16 && is_number(started) && is_number(process) && parts.next().is_some()
}

/// Whether the word is of the shape: a digit for each `0`, and otherwise the same.
fn is_shaped(word: &str, shape: &str) -> bool {
    let mut pairs = word.chars().zip(shape.chars());
    pairs.all(|(found, wanted)| found == wanted || wanted == '0' && found.is_ascii_digit())
}

fn without_numbers_after(name: &str, text: &str) -> String {
    let mut parts = text.split(name);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let (_, part) = split_at(part, |character| !character.is_ascii_digit());
        format!("{done}{name}N{part}")
    })
}

/// The text, with nothing between each `from` and the `to` after it.
pub(super) fn without_between(text: &str, from: &str, to: &str) -> String {
    let mut parts = text.split(from);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let kept = part.find(to).and_then(|at| part.get(at..)).unwrap_or(part);
        format!("{done}{from}{kept}")
    })
}
