//! Names as people typed them, made safe to be read beside others.
//!
//! A name is shown as text wherever it goes, so markup in it does no harm. What remains is a name that looks like
//! another one: cut off without a word, written backwards, or with something in it that nobody sees.

use crate::storage::column::Word;

/// The longest name that is shown, in characters. Statements fetch one more, so that a cut is noticed.
const CHARS_MAX: usize = 255;

/// The longest message of a database that is shown, in characters.
const ERROR_CHARS_MAX: usize = 500;

/// Stands for a character that is not shown.
const NOT_SHOWN: char = char::REPLACEMENT_CHARACTER;

/// A column with a name.
#[derive(sqlx::Type)]
#[sqlx(transparent, no_pg_array)]
pub(super) struct NameColumn(Word);

impl From<NameColumn> for String {
    fn from(column: NameColumn) -> Self {
        shown(column.0)
    }
}

/// A name as it is shown.
pub(super) fn shown(name: Word) -> String {
    visible(&String::from(name), CHARS_MAX)
}

/// What a database said, as it is shown: whoever wrote a trigger chose its words.
pub(super) fn shown_error(error: &str) -> String {
    visible(error, ERROR_CHARS_MAX)
}

fn visible(name: &str, chars_max: usize) -> String {
    let mut before = None;
    let mut seen = |c: char| {
        // Letters of some scripts and emoji are put together by joiners.
        let joins = is_joiner(c) && before.is_some_and(|before: char| !before.is_ascii());
        before = Some(c);
        if c.is_control() || is_invisible(c) || (is_joiner(c) && !joins) {
            NOT_SHOWN
        } else {
            c
        }
    };
    if name.chars().nth(chars_max).is_some() {
        let kept = name.chars().take(chars_max - 1);
        kept.map(&mut seen).chain(['…']).collect()
    } else {
        name.chars().map(&mut seen).collect()
    }
}

/// Whether a character takes no place, or changes the direction or the lines of what stands around it. Joiners are
/// none of these: see [`is_joiner`].
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a character does nothing but join those beside it, or keep them apart.
pub const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown_as_something() {
        for (name, expected) in [
            ("", ""),
            ("Contoso", "Contoso"),
            ("<b>Nord & Süd</b> ", "<b>Nord & Süd</b> "),
            ("שלום", "שלום"),
            ("Con\0to\u{1b}[31mso\n", "Con�to�[31mso�"),
            ("a\u{7f}b\u{85}c\u{9b}d", "a�b�c�d"),
            ("invoice\u{202e}fdp", "invoice�fdp"),
            (
                "a\u{202a}b\u{202d}c\u{2066}d\u{2067}e\u{2069}f",
                "a�b�c�d�e�f",
            ),
            ("a\u{200e}b\u{200f}c\u{61c}d", "a�b�c�d"),
            ("Con\u{200b}toso", "Con�toso"),
            ("Con\u{feff}to\u{2060}so\u{ad}", "Con�to�so�"),
            ("Con\u{200d}to\u{200c}so", "Con�to�so"),
            ("\u{200d}Contoso", "�Contoso"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("👩\u{200d}🚒", "👩\u{200d}🚒"),
            ("Con\u{e0041}toso", "Con�toso"),
            ("a\u{2028}b\u{2029}c", "a�b�c"),
        ] {
            assert_eq!(visible(name, CHARS_MAX), expected, "{name:?}");
        }
    }

    #[test]
    fn a_name_that_is_cut_says_so() {
        let name = |chars: usize| "é".repeat(chars);
        let visible = |name: &str| visible(name, CHARS_MAX);
        assert_eq!(visible(&name(255)), name(255));
        let cut = format!("{}…", name(254));
        assert_eq!(visible(&name(256)), cut);
        assert_eq!(visible(&name(5_000)), cut);
        assert_eq!(visible(&"\u{202e}".repeat(256)).chars().count(), 255);
    }
}
