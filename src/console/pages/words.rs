//! Words and marks of pages that belong to no model.

#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "a template hands over references"
)]

use std::borrow::Borrow;

use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use serde::Serialize;

use crate::views::stored_word;
use crate::views::verdict::LegWord;

/// The class that a tone is drawn with.
pub(super) const fn tone_class(tone: &Tone) -> &'static str {
    match tone {
        Tone::Neutral => "neutral",
        Tone::Danger => "danger",
        Tone::Warning => "warning",
        Tone::Calm => "calm",
    }
}

/// A mark, so that nobody has to tell colours apart. None of them is a tick: nothing here is proof of recovery.
pub(super) const fn tone_mark(tone: &Tone) -> &'static str {
    match tone {
        Tone::Neutral => "•",
        Tone::Danger => "✕",
        Tone::Warning => "▲",
        Tone::Calm => "○",
    }
}

/// The word for a tone, so that nothing is said by colour alone.
pub(super) const fn tone_word(tone: &Tone) -> &'static str {
    match tone {
        Tone::Neutral => "Note",
        Tone::Danger => "Urgent",
        Tone::Warning => "Attention",
        Tone::Calm => "No issue visible",
    }
}

/// What pages call an outcome.
pub(super) const fn outcome_label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::PartiallySucceeded => "partially succeeded",
        Outcome::Blocked => "blocked",
        Outcome::Failed => "failed",
    }
}

/// A mark for an outcome, so that nobody has to tell colours apart.
pub(super) const fn outcome_mark(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "○",
        Outcome::PartiallySucceeded => "▲",
        Outcome::Blocked => "■",
        Outcome::Failed => "✕",
    }
}

/// The text for the name of an outcome, or that this version does not know the name.
pub(super) fn outcome_text(word: &str) -> &'static str {
    Outcome::parse(word).map_or("not readable by this version", |outcome| {
        outcome_label(&outcome)
    })
}

/// A count, its thousands set apart.
pub(super) fn grouped(count: impl Borrow<u64>) -> String {
    let digits = count.borrow().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The class that a leg is drawn with.
pub(super) const fn leg_class(leg: &LegWord) -> &'static str {
    match leg {
        LegWord::Holds => "holds",
        LegWord::Gaps => "gaps",
        LegWord::NotAssessed | LegWord::NotShown => "open",
    }
}

/// The page of a reason code; none for a code that this version does not know.
pub(super) fn reason_href(code: &impl ToString) -> Option<String> {
    let reason = ReasonCode::parse(&code.to_string())?;
    Some(format!("/reasons/{reason}"))
}

/// The pieces of a text, and whether each stands between backticks, as code does.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let pieces = text.split('`').enumerate();
    pieces.map(|(place, piece)| (place % 2 == 1, piece))
}

/// The pieces of a text, and whether each is a reason code, which has a page of its own.
pub(super) fn codes(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.split_inclusive(' ').flat_map(|piece| {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let (word, rest) = piece.split_at(word.len());
        [(ReasonCode::parse(word).is_some(), word), (false, rest)]
    })
}

/// The word under which a value is stored, with spaces.
pub(super) fn word(value: &impl Serialize) -> String {
    spaced(&stored_word(value))
}

/// A stored word with spaces.
pub(super) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}
