//! One text of a statement for both databases: written for PostgreSQL, and spelled otherwise for SQLite by the compiler.
//!
//! Only words are spelled otherwise. Where a statement is another one on SQLite, each database has a file of its own.

/// What SQLite spells otherwise; of two that begin alike, the longer one first. It has no schemas and no arrays, no types
/// to be named, one writer at a time, and moments in microseconds.
const SPELLINGS: [(&str, &str); 19] = [
    ("reconciler.", "reconciler_"),
    ("apalis.jobs", "Jobs"),
    ("= ANY ($", "IN (SELECT value FROM json_each($"),
    ("::bigint[])", "))"),
    ("::bigint[]", ""),
    ("::bigint", ""),
    ("::text", ""),
    ("::timestamptz", ""),
    ("::boolean", ""),
    (
        "statement_timestamp()",
        "(CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000)",
    ),
    (" * interval '1 microsecond'", ""),
    ("interval '1 s'", "1000000"),
    ("interval '15 s'", "15000000"),
    ("interval '30 s'", "30000000"),
    ("'1970-01-01'", "0"),
    ("'10000-01-01'", "253402300800000000"),
    ("OFFSET 0", "LIMIT -1 OFFSET 0"),
    ("\nFOR UPDATE SKIP LOCKED", ""),
    ("\nFOR UPDATE", ""),
];

/// As much of `text`, as SQLite spells it, as there is room for, and how long all of it is.
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
pub(super) const fn spelled<const ROOM: usize>(text: &str) -> ([u8; ROOM], usize) {
    let text = text.as_bytes();
    let (mut spelled, mut length) = ([0; ROOM], 0);
    let mut at = 0;
    while at < text.len() {
        let (taken, given) = spelling_of(text, at);
        let mut next = 0;
        while next < given.len() {
            if length < ROOM {
                spelled[length] = given[next];
            }
            (length, next) = (length + 1, next + 1);
        }
        at += taken;
    }
    (spelled, length)
}

/// How much of `text` stands at this place for what, as SQLite spells it.
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const fn spelling_of(text: &[u8], at: usize) -> (usize, &[u8]) {
    let (_, rest) = text.split_at(at);
    let mut row = 0;
    while row < SPELLINGS.len() {
        let (word, spelling) = SPELLINGS[row];
        if begins_with(rest, word.as_bytes()) {
            return (word.len(), spelling.as_bytes());
        }
        row += 1;
    }
    (1, rest.split_at(1).0)
}

#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const fn begins_with(text: &[u8], word: &[u8]) -> bool {
    let mut at = 0;
    while at < word.len() {
        if at >= text.len() || text[at] != word[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The same as text. Spellings are ASCII, so that it is one.
pub(super) const fn text_of(spelled: &[u8]) -> &str {
    match str::from_utf8(spelled) {
        Ok(text) => text,
        Err(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_spelled_otherwise_and_what_lies_between_is_kept() {
        const TEXT: &str = "DELETE FROM reconciler.pauses WHERE id = ANY ($1::bigint[]) AND at < statement_timestamp() - \
             $2::bigint * interval '1 microsecond' -- Süd\nFOR UPDATE";
        const LENGTH: usize = spelled::<0>(TEXT).1;
        assert_eq!(
            text_of(&spelled::<LENGTH>(TEXT).0),
            "DELETE FROM reconciler_pauses WHERE id IN (SELECT value FROM json_each($1)) AND at < \
             (CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000) - $2 -- Süd"
        );
    }
}
