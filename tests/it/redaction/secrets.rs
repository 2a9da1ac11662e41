//! Secrets that can be told apart, and how even a piece of one is found in a text.
//!
//! Each has the form of something real around a core that occurs nowhere else: letters and digits for most, a
//! GUID for some. Pieces are those of the core, so that `Bearer ` in a help text is no leak.

use std::collections::HashMap;

/// The shortest piece that counts, in bytes.
pub(super) const PIECE: usize = 12;

/// How long the core of most secrets is.
const CORE: usize = 32;

/// How much of a text is shown around a leak.
const SHOWN_AROUND: usize = 60;

/// The forms. `@` stands for the core.
const FORMS: [&str; 8] = [
    "Bearer @",
    "client_secret=@",
    "eyJhbGciOiJIUzI1NiJ9.@.x",
    "postgres://app:@@db.internal:5432/app",
    "-----BEGIN PRIVATE KEY-----\n@\n-----END PRIVATE KEY-----",
    "ghp_@",
    "@",
    "{guid}",
];

/// Every secret that was planted, with the place that a leak is named after.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    places: Vec<String>,
    /// Which secret a piece is of.
    pieces: HashMap<[u8; PIECE], usize>,
}

/// A piece of a secret, found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leak<'s> {
    /// Where the secret was planted.
    pub(super) place: &'s str,
    /// The text around the piece.
    pub(super) around: String,
}

impl Secrets {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether a secret is in a place that begins so.
    pub(super) fn has_any(&self, place: &str) -> bool {
        self.places.iter().any(|planted| planted.starts_with(place))
    }

    /// A new secret, to be planted in this place.
    pub(super) fn make(&mut self, place: impl Into<String>) -> String {
        let number = self.places.len();
        let form = FORMS[number % FORMS.len()];
        if form == "{guid}" {
            let core = guid(number);
            self.know(&core, place.into());
            return core;
        }
        let core = self.core(place);
        // The user's own `@` comes after the core.
        form.replacen('@', &core, 1)
    }

    /// The same without a form around it, for places that take no more.
    pub(super) fn core(&mut self, place: impl Into<String>) -> String {
        let characters = characters(self.places.len(), b"abcdefghijklmnopqrstuvwxyz0123456789");
        let core: String = characters.take(CORE).collect();
        self.know(&core, place.into());
        core
    }

    fn know(&mut self, core: &str, place: String) {
        let number = self.places.len();
        for piece in core.as_bytes().windows(PIECE) {
            let piece = piece.try_into().expect("as long as a piece");
            let before = self.pieces.insert(piece, number);
            assert!(before.is_none(), "{place}: a piece of another secret");
        }
        self.places.push(place);
    }

    /// The secrets that a text holds a piece of, each once, in any case, and also as numbers of bytes.
    pub(super) fn find(&self, text: &str) -> Vec<Leak<'_>> {
        let mut found: Vec<usize> = Vec::new();
        let mut leaks = Vec::new();
        for text in [text.to_lowercase(), bytes_written_as_numbers(text)] {
            for (start, window) in text.as_bytes().windows(PIECE).enumerate() {
                let window: &[u8; PIECE] = window.try_into().expect("as long as a piece");
                let Some(&number) = self.pieces.get(window) else {
                    continue;
                };
                if !found.contains(&number) {
                    found.push(number);
                    leaks.push(Leak {
                        place: &self.places[number],
                        around: around(text.as_bytes(), start),
                    });
                }
            }
        }
        leaks
    }
}

fn around(text: &[u8], start: usize) -> String {
    let from = start.saturating_sub(SHOWN_AROUND);
    let to = (start + PIECE + SHOWN_AROUND).min(text.len());
    String::from_utf8_lossy(&text[from..to]).into_owned()
}

/// What `[115, 101, …]` in a text says: bytes are printed so by whoever prints values for debugging.
fn bytes_written_as_numbers(text: &str) -> String {
    let bytes = text
        .split(|c: char| !c.is_ascii_digit() && c != ',' && c != ' ')
        .filter(|list| list.contains(", "))
        .flat_map(|list| list.split(", ").chain([" "]))
        .map(|number| number.trim().parse().unwrap_or(b'\n'));
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).to_lowercase()
}

/// Characters that depend on the secret's number alone. `SplitMix64`, so that neighbours have nothing in common.
fn characters(number: usize, of: &'static [u8]) -> impl Iterator<Item = char> {
    let mut state = (number as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let at = (mixed ^ (mixed >> 31)) % of.len() as u64;
        char::from(of[usize::try_from(at).expect("below the length")])
    })
}

fn guid(number: usize) -> String {
    let digits: String = characters(number, b"0123456789abcdef").take(32).collect();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| &digits[part]).join("-")
}

#[test]
fn a_piece_of_a_secret_is_found_wherever_it_stands() {
    let mut secrets = Secrets::default();
    let all: Vec<String> = (0..FORMS.len() * 200)
        .map(|number| secrets.make(format!("place {number}")))
        .collect();
    for (number, secret) in all.iter().enumerate() {
        let expected = [format!("place {number}")];
        let places = |text: &str| {
            let leaks = secrets.find(text);
            let places = leaks.iter().map(|leak| leak.place.to_owned());
            places.collect::<Vec<_>>()
        };
        assert_eq!(places(secret), expected, "{secret}");
        let form = FORMS[number % FORMS.len()];
        let begins = form.find(['@', '{']).expect("a core");
        let cut = &secret[begins + 5..begins + 5 + PIECE];
        let (shouted, bytes) = (cut.to_uppercase(), cut.as_bytes());
        for text in [format!("x{shouted}y"), format!("{bytes:?}")] {
            assert_eq!(places(&text), expected, "{secret}");
        }
        assert!(places(&cut[..PIECE - 1]).is_empty(), "{secret}");
    }
    let unplanted = FORMS.join(" ");
    assert!(secrets.find(&unplanted).is_empty());
}
