//! Who gets into the console, and where it listens.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::reading::{backup_health, freshness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capability::Capability;
use super::error::ConfigError;
use super::fields::{SectionValue, text_of, yes_or_no};
use super::section::section;

/// What every token begins with, so that one is recognised where it does not belong.
pub const TOKEN_PREFIX: &str = "rrt_";

/// The longest list of tokens.
pub const TOKENS_MAX: usize = 1_000;
/// The longest list of workspaces of one token.
const WORKSPACES_MAX: usize = 1_000;
/// The longest name of a token, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Digits of a SHA-256.
const SHA256_DIGITS: usize = 64;
/// Where the console listens unless told otherwise.
const PORT: u16 = 8717;

section! {
    /// Who gets into the console, and where it listens.
    pub struct Console {
        /// Where to listen: an address and a port; port 0 picks a free one. Without tokens it must be an
        /// address of this machine alone.
        #[schemars(with = "String")]
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)), by address;
        /// Who gets in. Without any, whoever can reach the address from this machine sees everything.
        #[schemars(length(max = TOKENS_MAX))]
        tokens: Vec<Token> = Vec::new(), by tokens;
        /// How long a login lasts without a request. "1m" to "24h", not longer than `session_max`.
        session_idle: Duration = Duration::from_mins(30), "1m" to "24h";
        /// How long a login lasts at most. "1m" to "168h".
        session_max: Duration = Duration::from_hours(12), "1m" to "168h";
        /// How many requests one token, or one address without a token, may make in a minute.
        requests_per_minute: u32 = 600, whole 10 to 1_000_000;
        /// Whether browsers reach the console through a proxy that speaks TLS.
        behind_tls: bool = false, by yes_or_no;
        /// How long an operation may be queued before it is shown as open for too long. "1m" to "8760h".
        queued_max: SignedDuration = freshness::FreshnessThresholds::default().queued, "1m" to "8760h";
        /// How long an operation may run before it is shown as open for too long. "1m" to "8760h".
        running_max: SignedDuration = freshness::FreshnessThresholds::default().running, "1m" to "8760h";
        /// From which age on the latest backup set is shown as out of date. "1h" to "8760h".
        backup_age_max: SignedDuration = backup_health::BackupThresholds::default().age_max, "1h" to "8760h";
    }
}

/// Somebody who gets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Who it is, as logs show it.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// The SHA-256 of the token, as 64 hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{64}$"))]
    pub sha256: String,
    /// Whose rows it sees.
    pub workspaces: Reach,
    /// What it may do.
    #[schemars(length(min = 1))]
    pub capabilities: BTreeSet<Capability>,
}

/// Whose rows a token sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Reach {
    /// What belongs to every workspace: the text "all".
    All(All),
    /// What belongs to the workspaces with these ids.
    Only(#[schemars(length(min = 1, max = WORKSPACES_MAX), inner(range(min = 1)))] BTreeSet<i64>),
}

/// The text "all".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum All {
    /// Every workspace there is and will be.
    All,
}

impl Console {
    /// Refuses an address that others can reach where nothing tells them apart.
    pub(super) fn check_reach(&self, file: &str) -> Result<(), ConfigError> {
        if self.tokens.is_empty() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::OpenToOthers {
                file: file.to_owned(),
                listen: self.listen,
            });
        }
        Ok(())
    }
}

/// An address with its port. Names would mean another address tomorrow.
fn address(found: SectionValue<'_>) -> Result<SocketAddr, String> {
    let address = text_of(found).and_then(|text| text.parse().ok());
    address.ok_or_else(|| {
        "it must be a text of an address and a port, such as \"127.0.0.1:8717\" or \
         \"[::1]:8717\""
            .to_owned()
    })
}

/// A list of tokens, no two with one name or one hash. Errors name an entry by its place, because what
/// stands in it may be a token in the wrong place.
fn tokens(found: SectionValue<'_>) -> Result<Vec<Token>, String> {
    let list = found
        .and_then(toml::Value::as_array)
        .filter(|list| list.len() <= TOKENS_MAX)
        .ok_or_else(|| format!("it must be at most {TOKENS_MAX} sections `[[console.tokens]]`"))?;
    let mut names = BTreeSet::new();
    let mut hashes = BTreeSet::new();
    let mut tokens = Vec::with_capacity(list.len());
    for (number, entry) in (1..).zip(list) {
        let refused = |fault: &str| format!("entry {number}: {fault}");
        let token = read_token(entry).map_err(|fault| refused(&fault))?;
        if !names.insert(token.name.clone()) {
            return Err(refused("its name must be another than those before it"));
        }
        if !hashes.insert(token.sha256.clone()) {
            return Err(refused(
                "its sha256 must be another than those before it: one token is one viewer",
            ));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

const TOKEN_KEYS: [&str; 4] = ["name", "sha256", "workspaces", "capabilities"];

fn read_token(entry: &toml::Value) -> Result<Token, String> {
    let table = entry
        .as_table()
        .filter(|table| table.keys().all(|key| TOKEN_KEYS.contains(&key.as_str())))
        .ok_or_else(|| format!("its keys must be {}", TOKEN_KEYS.join(", ")))?;
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
    let name = text("name")
        .filter(|name| is_token_name(name))
        .ok_or_else(|| {
            format!(
                "its name must be a text of 1 to {NAME_CHARS_MAX} letters, digits and the signs . _ @ -"
            )
        })?;
    let sha256 = text("sha256")
        .filter(|hash| hash.len() == SHA256_DIGITS)
        .filter(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .ok_or_else(|| {
            format!(
                "its sha256 must be {SHA256_DIGITS} hexadecimal digits, as `restore-reconciler \
                 token` prints them; the token itself has no place in a file"
            )
        })?;
    Ok(Token {
        name: name.to_owned(),
        sha256: sha256.to_ascii_lowercase(),
        workspaces: table.get("workspaces").and_then(read_reach).ok_or_else(|| {
            format!(
                "its workspaces must be \"all\", or a list of 1 to {WORKSPACES_MAX} different ids"
            )
        })?,
        capabilities: table
            .get("capabilities")
            .and_then(read_capabilities)
            .ok_or_else(|| {
                format!(
                    "its capabilities must be a list of at least one of {}, each once",
                    Capability::ALL.map(Capability::name).join(", ")
                )
            })?,
    })
}

/// Whether a token may be called so.
pub(crate) fn is_token_name(name: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(is_sign)
        && !name.contains(TOKEN_PREFIX)
}

fn read_reach(value: &toml::Value) -> Option<Reach> {
    if value.as_str() == Some("all") {
        return Some(Reach::All(All::All));
    }
    let list = value.as_array()?;
    let ids: BTreeSet<i64> = list
        .iter()
        .map(|id| id.as_integer().filter(|id| *id > 0))
        .collect::<Option<_>>()?;
    let is_in_order = ids.len() == list.len() && (1..=WORKSPACES_MAX).contains(&ids.len());
    is_in_order.then_some(Reach::Only(ids))
}

fn read_capabilities(value: &toml::Value) -> Option<BTreeSet<Capability>> {
    let list = value.as_array()?;
    let found: BTreeSet<Capability> = list
        .iter()
        .map(|name| name.as_str().and_then(|name| name.parse().ok()))
        .collect::<Option<_>>()?;
    (!found.is_empty() && found.len() == list.len()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{parse, refusal};

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn entry(name: &str, hash: &str) -> String {
        format!(
            "[[console.tokens]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nworkspaces = \"all\"\n\
             capabilities = [\"runs.view\"]\n"
        )
    }

    #[test]
    fn tokens_are_read_with_their_reach_and_what_they_may_do() {
        let text = entry("ops", HASH)
            + &format!(
                "[[console.tokens]]\nname = \"probe@host-1.example\"\nsha256 = \"{}\"\n\
                 workspaces = [7, 3]\ncapabilities = [\"metrics.view\", \"runs.view\"]",
                "A".repeat(64)
            );
        let console = parse(&text).unwrap().console;
        assert_eq!(console.tokens[0].workspaces, Reach::All(All::All));
        assert_eq!(
            console.tokens[1],
            Token {
                name: "probe@host-1.example".to_owned(),
                sha256: "a".repeat(64),
                workspaces: Reach::Only([3, 7].into()),
                capabilities: [Capability::RunsView, Capability::MetricsView].into(),
            }
        );
        let written = serde_json::to_string(&console).unwrap();
        assert_eq!(serde_json::from_str::<Console>(&written).unwrap(), console);
    }

    #[test]
    fn an_entry_that_says_too_little_or_too_much_is_refused_by_its_place() {
        let good = entry("ops", HASH);
        for (bad, fault) in [
            (good.replace("\"ops\"", "\"\""), "its name must be"),
            (good.replace("\"ops\"", "\"o ps\""), "its name must be"),
            (good.replace("\"ops\"", "7"), "its name must be"),
            (good.replace(HASH, &HASH[1..]), "its sha256 must be 64"),
            (
                good.replace(HASH, &format!("g{}", &HASH[1..])),
                "its sha256 must be 64",
            ),
            (
                good.replace("\"all\"", "\"some\""),
                "its workspaces must be",
            ),
            (good.replace("\"all\"", "[]"), "its workspaces must be"),
            (good.replace("\"all\"", "[0]"), "its workspaces must be"),
            (good.replace("\"all\"", "[1, 1]"), "its workspaces must be"),
            (good.replace("\"all\"", "[\"1\"]"), "its workspaces must be"),
            (
                good.replace("runs.view", "runs.write"),
                "its capabilities must be",
            ),
            (
                good.replace("[\"runs.view\"]", "[]"),
                "its capabilities must be",
            ),
            (
                good.replace("workspaces = \"all\"\n", ""),
                "its workspaces must be",
            ),
            (good.clone() + "until = 1", "its keys must be"),
        ] {
            let text = refusal(&format!("{}{bad}", entry("first", &"b".repeat(64))));
            assert!(text.contains(&format!("entry 2: {fault}")), "{bad}: {text}");
            assert!(text.contains("`console.tokens`"), "{text}");
        }
        assert!(refusal("console.tokens = 1").contains("at most 1000 sections"));
        assert!(refusal("console.tokens = [1]").contains("entry 1: its keys must be"));
    }

    #[test]
    fn no_two_tokens_share_a_name_or_a_hash() {
        let one = entry("one", HASH);
        let text = refusal(&(one.clone() + &entry("one", &"c".repeat(64))));
        assert!(text.contains("entry 2: its name must be another"), "{text}");
        let text = refusal(&(one + &entry("two", &HASH.to_uppercase())));
        assert!(
            text.contains("entry 2: its sha256 must be another"),
            "{text}"
        );
    }

    #[test]
    fn a_thousand_tokens_are_read_and_one_more_is_not() {
        let many = |count: usize| -> String {
            (0..count)
                .map(|n| entry(&format!("t{n}"), &format!("{n:064x}")))
                .collect()
        };
        assert_eq!(
            parse(&many(TOKENS_MAX)).unwrap().console.tokens.len(),
            1_000
        );
        assert!(refusal(&many(TOKENS_MAX + 1)).contains("at most 1000 sections"));
    }

    #[test]
    fn a_token_in_the_file_is_refused_and_not_repeated() {
        let token = format!("rrt_{HASH}");
        for text in [
            entry("ops", &token),
            entry(&token, HASH),
            entry("ops", HASH) + &format!("token = \"{token}\""),
            entry("ops", HASH).replace("\"all\"", &format!("\"{token}\"")),
            format!("console.tokens = [\"{token}\"]"),
            format!("console.listen = \"{token}\""),
            format!("\"{token}\" = 1"),
        ] {
            let error = parse(&text).expect_err(&text);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(HASH), "{text}: {shown}");
        }
    }

    #[test]
    fn where_others_could_listen_in_tokens_are_asked_for() {
        for open in ["0.0.0.0:8717", "[::]:8717", "192.0.2.1:80"] {
            let listen = format!("[console]\nlisten = \"{open}\"\n");
            assert_eq!(
                refusal(&listen),
                format!(
                    "x.toml: `console.listen` is \"{open}\", which others can reach, and there is no \
                     `[[console.tokens]]` entry to tell them apart; add one that `restore-reconciler \
                     token` makes, or listen on 127.0.0.1"
                )
            );
            assert!(parse(&(listen + &entry("ops", HASH))).is_ok());
        }
        for own in ["127.0.0.1:0", "127.8.9.1:80", "[::1]:8717"] {
            assert!(
                parse(&format!("console.listen = \"{own}\"")).is_ok(),
                "{own}"
            );
        }
    }

    #[test]
    fn a_login_is_idle_no_longer_than_it_lasts() {
        let text = refusal("[console]\nsession_idle = \"2h\"\nsession_max = \"1h\"");
        assert!(
            text.contains("`console.session_idle` is \"2h\", longer than"),
            "{text}"
        );
    }
}
