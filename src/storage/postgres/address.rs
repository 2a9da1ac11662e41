//! What the URL of a PostgreSQL server asks for.
//!
//! **Invariants:** each parameter is followed or refused with what to write instead; none is ignored.
//! `target_session_attrs` is asked of the server on each connection. Nothing here repeats a URL that was refused, and what
//! is shown of one that was accepted is known to be harmless.
//!
//! # Design notes
//!
//! The driver's own parser ignores what it does not know and prints it while doing so, and takes passwords from
//! pass files whose lines it prints. So it is only given what it understands, and always a password.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use thiserror::Error;
use url::{Url, form_urlencoded};

use crate::storage::error::{Result, StoreError};

/// The longest `connect_timeout`, in seconds.
const CONNECT_SECONDS_MAX: u64 = 300;

/// Which server is meant where a name may lead to several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WantedServer {
    /// Whichever answers.
    #[default]
    Any,
    /// One that takes writes.
    Primary,
    /// One that follows another.
    Standby,
}

/// Where a server is, how to enter it, and what is asked of the way there.
#[derive(Clone)]
pub struct ServerAddress {
    options: PgConnectOptions,
    /// How long a connection may take to be there, where the URL says so.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) wanted: WantedServer,
    /// Whether the URL holds a password.
    pub(crate) has_password: bool,
    authority: Authority,
    /// The URL without its password and without every parameter that is not known to be harmless.
    pub(crate) shown: String,
}

/// Why a text is no URL of a server. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Not UTF-8, or with spaces or line ends in it, as a secret read from a file often has.
    #[error("it holds spaces, line ends or bytes that no URL holds; remove them")]
    NotPlainText,
    /// A mistake in its form.
    #[error(
        "it is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE ({0}); characters such \
         as @ : / ? # % in the password must be percent-encoded"
    )]
    Malformed(&'static str),
    /// Several servers to choose from.
    #[error(
        "it names several hosts; name one that always leads to the primary, such as a virtual address or the \
         name of a service"
    )]
    SeveralHosts,
    /// A parameter that nobody knows, and that may be a secret.
    #[error(
        "it has a parameter that is not one of {}; a password belongs before the @",
        FOLLOWED.join(", ")
    )]
    UnknownParameter,
    /// A parameter that is known, and not followed.
    #[error("it has the parameter {0}, which this program cannot follow; {1}")]
    NotFollowed(&'static str, &'static str),
    /// A parameter with a value that is not followed.
    #[error("its parameter {0} {1}")]
    Value(&'static str, &'static str),
}

/// The parameters that are followed.
const FOLLOWED: [&str; 18] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "connect_timeout",
    "target_session_attrs",
    "channel_binding",
    "client_encoding",
    "gssencmode",
    "statement-cache-capacity",
];

/// Other names of the same, as other drivers have them.
const ALIASES: [(&str, &str); 8] = [
    ("ssl-mode", "sslmode"),
    ("ssl-root-cert", "sslrootcert"),
    ("ssl-ca", "sslrootcert"),
    ("ssl-cert", "sslcert"),
    ("ssl-key", "sslkey"),
    ("charset", "client_encoding"),
    ("encoding", "client_encoding"),
    ("connection_timeout", "connect_timeout"),
];

const REMOVE: &str = "remove it";

/// What other drivers follow, with what to do instead.
const NOT_FOLLOWED: [(&str, &str); 27] = [
    (
        "passfile",
        "name the file in the environment variable PGPASSFILE",
    ),
    ("search_path", "write options[search_path]=SCHEMA"),
    ("schema", "write options[search_path]=SCHEMA"),
    (
        "requiressl",
        "write sslmode=require, or better sslmode=verify-full",
    ),
    (
        "service",
        "write host, port, database and user into the URL",
    ),
    (
        "servicefile",
        "write host, port, database and user into the URL",
    ),
    ("connection_limit", "set database.connections_max"),
    ("pool_timeout", "set database.connect_timeout"),
    ("statement_timeout", "set database.statement_timeout"),
    ("lock_timeout", "set database.lock_timeout"),
    (
        "pgbouncer",
        "remove it: PgBouncer in transaction mode needs max_prepared_statements",
    ),
    (
        "sslpassword",
        "name a key in sslkey that is not encrypted, and that only this program may read",
    ),
    ("sslcrl", REMOVE),
    ("sslcrldir", REMOVE),
    ("sslsni", REMOVE),
    ("sslcertmode", REMOVE),
    ("sslcompression", REMOVE),
    ("sslnegotiation", REMOVE),
    ("ssl_min_protocol_version", REMOVE),
    ("ssl_max_protocol_version", REMOVE),
    ("require_auth", REMOVE),
    ("requirepeer", REMOVE),
    ("krbsrvname", REMOVE),
    ("keepalives", REMOVE),
    ("tcp_user_timeout", REMOVE),
    ("load_balance_hosts", REMOVE),
    ("fallback_application_name", "write application_name"),
];

impl ServerAddress {
    /// Reads a URL. Its password is the one that stands in it, or none.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // The parser of URLs would drop them silently.
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(AddressError::NotPlainText);
        }
        let parts = Parts::split(text)?;
        let asked = AddressQuery::read(&parts.url)?;
        asked.check_host(parts.has_host)?;
        let mut options: PgConnectOptions = parts
            .for_driver(&asked)
            .parse()
            .map_err(|_| AddressError::Malformed("a parameter has a value of another kind"))?;
        // Brackets are of the URL, and no part of the address that is connected to.
        let host = options.get_host().trim_matches(['[', ']']).to_owned();
        options = options.host(&host);
        // The environment names hosts, too.
        if host.contains(',') {
            return Err(AddressError::SeveralHosts);
        }
        if options.get_socket().is_some() || options.get_host().starts_with('/') {
            // Nothing leaves the machine, and servers refuse to encrypt it.
            options = options.ssl_mode(PgSslMode::Disable);
        } else if matches!(asked.authority, Authority::File(_)) {
            options = match options.get_ssl_mode() {
                PgSslMode::VerifyCa | PgSslMode::VerifyFull => options,
                // As every other client has it: who names an authority wants it to be asked.
                PgSslMode::Require => options.ssl_mode(PgSslMode::VerifyCa),
                _ => {
                    return Err(AddressError::Value(
                        "sslrootcert",
                        "has no effect without sslmode=verify-full; write both",
                    ));
                }
            };
        }
        if options.get_application_name().is_none() {
            options = options.application_name("restore-reconciler");
        }
        Ok(Self {
            // A pooler refuses connections that ask for a setting it does not follow; this one is about numbers
            // as text, of which there are none here.
            options: options.extra_float_digits(None),
            connect_timeout: asked.connect_timeout,
            wanted: asked.wanted,
            has_password: asked.has_password || parts.url.password().is_some(),
            authority: asked.authority,
            shown: parts.shown(),
        })
    }

    /// Where a password is looked up: host, port, database and user. A socket is a host by its directory, and an IPv6
    /// address has no brackets.
    pub fn login(&self) -> [String; 4] {
        let options = &self.options;
        let host = options
            .get_socket()
            .map_or(options.get_host().to_owned(), |socket| {
                socket.display().to_string()
            });
        let user = options.get_username();
        let database = options.get_database().unwrap_or(user);
        [
            host,
            options.get_port().to_string(),
            database.to_owned(),
            user.to_owned(),
        ]
    }

    /// Whether it matters who vouches for the server, and the URL does not say who does.
    pub(crate) fn wants_authority(&self) -> bool {
        let mode = self.options.get_ssl_mode();
        self.authority == Authority::Unnamed
            && matches!(
                mode,
                PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
            )
    }

    /// What the driver connects with. The file with the authority's certificates is looked at first: the driver
    /// says of one that cannot be read that the connection was lost, and of one without certificates nothing.
    pub(crate) fn into_options(self) -> Result<PgConnectOptions> {
        let Authority::File(file) = &self.authority else {
            // By itself it would follow PGSSLROOTCERT, whatever is in it, and beside what the URL says.
            return Ok(self.options.ssl_root_cert_from_pem(Vec::new()));
        };
        if file.contains(CERTIFICATE) {
            return Ok(self
                .options
                .ssl_root_cert_from_pem(file.clone().into_bytes()));
        }
        let step = "read the file that sslrootcert names";
        let text = std::fs::read_to_string(file).map_err(|error| StoreError::fatal(step, error))?;
        if text.contains(CERTIFICATE) {
            Ok(self.options)
        } else {
            Err(StoreError::fatal(
                step,
                "it holds no certificate in PEM form",
            ))
        }
    }
}

/// How a certificate begins.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// A URL that was taken apart.
struct Parts<'t> {
    scheme: &'t str,
    /// Whether a host stands before the path. If not, `url` has one that means nothing.
    has_host: bool,
    url: Url,
}

impl<'t> Parts<'t> {
    fn split(text: &'t str) -> Result<Self, AddressError> {
        let cannot_tell = AddressError::Malformed("user, host and database cannot be told apart");
        let (scheme, rest) = text.split_once("://").ok_or(cannot_tell)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (format!("{login}@"), place),
            None => (String::new(), authority),
        };
        if place.contains(',') || place.to_lowercase().contains("%2c") {
            return Err(AddressError::SeveralHosts);
        }
        let has_host = !place.is_empty() && !place.starts_with(':');
        let host = if has_host { "" } else { "localhost" };
        let url = Url::parse(&format!("postgres://{login}{host}{place}{path}"))
            .map_err(|error| AddressError::Malformed(problem_of(error)))?;
        // An unencoded `/`, `?` or `#` ends the host early and moves the rest of a password to where
        // it would be shown. The `@` that closes it gives that away.
        let after_host = [Some(url.path()), url.query(), url.fragment()];
        let has_at = after_host.iter().flatten().any(|part| part.contains('@'));
        if url.fragment().is_some() || has_at {
            return Err(cannot_tell);
        }
        Ok(Self {
            scheme,
            has_host,
            url,
        })
    }

    /// The URL that the driver is given: parameters that it understands, and always a password.
    fn for_driver(&self, asked: &AddressQuery) -> String {
        let url = &self.url;
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut authority = String::new();
        if self.has_host {
            let start = url.as_str().strip_prefix("postgres://");
            let rest = start.unwrap_or_default();
            authority.push_str(rest.split(['/', '?']).next().unwrap_or_default());
        } else {
            for (key, value) in [("user", Some(url.username())), ("password", url.password())] {
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    query.append_pair(key, &decoded(value));
                }
            }
            if let Some(port) = url.port() {
                query.append_pair("port", &port.to_string());
            }
        }
        if !asked.has_password && url.password().is_none() {
            query.append_pair("password", "");
        }
        query.extend_pairs(&asked.for_driver);
        format!(
            "postgres://{authority}{}?{}",
            match url.path() {
                "" => "/",
                path => path,
            },
            query.finish()
        )
    }

    fn shown(&self) -> String {
        let url = &self.url;
        let user = match (url.username(), url.password()) {
            ("", None) => String::new(),
            (user, None) => format!("{}@", shown_user(user)),
            (user, Some(_)) => format!("{}:***@", shown_user(user)),
        };
        let host = url.host_str().filter(|_| self.has_host).unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}"));
        format!(
            "{}://{user}{host}{}{}{}",
            self.scheme,
            port.unwrap_or_default(),
            url.path(),
            shown_query(url.query())
        )
    }
}

/// What the parameters of a URL ask for.
#[derive(Default)]
struct AddressQuery {
    /// Names and values of the parameters that the driver follows.
    for_driver: Vec<(String, String)>,
    connect_timeout: Option<Duration>,
    wanted: WantedServer,
    has_password: bool,
    authority: Authority,
}

/// Who vouches for the server, as the URL says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Authority {
    /// It does not.
    #[default]
    Unnamed,
    /// Those that the machine trusts.
    System,
    /// Also those in this file, or in this text itself.
    File(String),
}

impl AddressQuery {
    fn read(url: &Url) -> Result<Self, AddressError> {
        let mut asked = Self::default();
        for (key, value) in url.query_pairs() {
            let key: &str = ALIASES
                .iter()
                .find(|(alias, _)| *alias == key)
                .map_or(&key, |(_, name)| name);
            match (key, &*value) {
                ("host" | "hostaddr" | "port", list) if list.contains(',') => {
                    return Err(AddressError::SeveralHosts);
                }
                // The machine's own roots are always asked.
                ("sslrootcert", "system") => asked.authority = Authority::System,
                // Never an attempt without encryption first: the driver makes no second one.
                ("sslmode", "allow") => asked.pass(key, "prefer"),
                _ => asked.follow(key, &value)?,
            }
        }
        if asked.authority == Authority::System && !asked.checks_name() {
            return Err(AddressError::Value(
                "sslrootcert",
                "is system, which has no effect without sslmode=verify-full; write both",
            ));
        }
        Ok(asked)
    }

    /// The driver connects to one text and checks certificates by it: an address is not used beside a name.
    fn check_host(&self, has_host: bool) -> Result<(), AddressError> {
        let asks = |key| self.for_driver.iter().any(|(asked, _)| asked == key);
        let refused = |text| Err(AddressError::Value("hostaddr", text));
        match asks("hostaddr") {
            true if has_host || asks("host") => {
                refused("cannot be followed beside a host; write one of the two")
            }
            true if self.checks_name() => refused("leaves no name to check; write the host"),
            _ => Ok(()),
        }
    }

    fn checks_name(&self) -> bool {
        let mut modes = self.for_driver.iter();
        modes.any(|(key, value)| key == "sslmode" && value == "verify-full")
    }

    fn pass(&mut self, key: &str, value: &str) {
        self.for_driver.push((key.to_owned(), value.to_owned()));
    }

    fn follow(&mut self, key: &str, value: &str) -> Result<(), AddressError> {
        let demand = |holds: bool, key, text| {
            if holds {
                Ok(())
            } else {
                Err(AddressError::Value(key, text))
            }
        };
        match key {
            "connect_timeout" => {
                let seconds = value.parse().unwrap_or(0);
                self.connect_timeout = Some(Duration::from_secs(seconds));
                let range = "must be a number of seconds from 1 to 300";
                demand(
                    (1..=CONNECT_SECONDS_MAX).contains(&seconds),
                    "connect_timeout",
                    range,
                )
            }
            "target_session_attrs" => {
                self.wanted = match value {
                    "read-write" | "primary" => WantedServer::Primary,
                    "standby" => WantedServer::Standby,
                    // Where one host is named, there is no other to be preferred to it.
                    _ => WantedServer::Any,
                };
                demand(
                    ["any", "read-write", "primary", "standby", "prefer-standby"].contains(&value),
                    "target_session_attrs",
                    "must be any, read-write or primary, or, to read from, standby or prefer-standby",
                )
            }
            "channel_binding" => demand(
                ["disable", "prefer"].contains(&value),
                "channel_binding",
                "cannot be followed but as disable or prefer; remove it, and write sslmode=verify-full, which \
                 keeps out whoever is not the server",
            ),
            "client_encoding" => demand(
                ["utf8", "utf-8"].contains(&&*value.to_lowercase()),
                "client_encoding",
                "must be UTF8, which is always spoken; remove it",
            ),
            "gssencmode" => demand(
                ["disable", "prefer"].contains(&value),
                "gssencmode",
                "must be disable or prefer; TLS is what encrypts here, by sslmode",
            ),
            "sslmode" => {
                self.pass(key, value);
                demand(
                    value.parse::<PgSslMode>().is_ok(),
                    "sslmode",
                    "must be one of disable, allow, prefer, require, verify-ca, verify-full",
                )
            }
            _ => {
                self.has_password |= key == "password";
                if key == "sslrootcert" {
                    self.authority = Authority::File(value.to_owned());
                }
                self.pass(key, value);
                let is_followed = FOLLOWED.contains(&key) || key.starts_with("options[");
                if is_followed {
                    Ok(())
                } else {
                    Err(refusal(key))
                }
            }
        }
    }
}

fn refusal(key: &str) -> AddressError {
    // There are `keepalives_idle` and more.
    let is_it = |name: &str| key == name || (name == "keepalives" && key.starts_with(name));
    NOT_FOLLOWED
        .into_iter()
        .find(|(name, _)| is_it(name))
        .map_or(AddressError::UnknownParameter, |(name, instead)| {
            AddressError::NotFollowed(name, instead)
        })
}

/// A user or a password without percent-encoding, in which a plus is no blank.
fn decoded(part: &str) -> String {
    let form = part.replace('+', "%2B").replace('&', "%26");
    let form = form.replace('=', "%3D");
    form_urlencoded::parse(form.as_bytes())
        .map(|(text, _)| text)
        .collect()
}

/// An encoded user name may hold an encoded password behind an encoded colon.
fn shown_user(user: &str) -> &str {
    if user.contains('%') { "***" } else { user }
}

/// Keeps parameters that are known to be harmless; `password=` is one that is not.
pub fn shown_query(query: Option<&str>) -> String {
    let Some(query) = query else {
        return String::new();
    };
    let shown: Vec<_> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((
                "host"
                | "port"
                | "dbname"
                | "sslmode"
                | "application_name"
                | "connect_timeout"
                | "target_session_attrs"
                | "channel_binding"
                | "mode"
                | "cache"
                | "immutable",
                _,
            )) => pair,
            Some(("user", name)) if shown_user(name) == name => pair,
            _ => "***",
        })
        .collect();
    format!("?{}", shown.join("&"))
}

fn problem_of(error: url::ParseError) -> &'static str {
    match error {
        url::ParseError::EmptyHost => "the host is missing",
        url::ParseError::InvalidPort => "the port is not a number from 0 to 65535",
        _ => "it cannot be taken apart",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ServerAddress {
        ServerAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn each_form_of_a_url_has_its_meaning() {
        let (usual, socket) = (["h", "1", "d", "u"], "/run/postgresql");
        for (text, login, mode) in [
            ("postgres://u:p@h:1/d", usual, PgSslMode::Prefer),
            ("postgresql://u@h:1/d", usual, PgSslMode::Prefer),
            ("pgsql://u@h:1/d?charset=utf8", usual, PgSslMode::Prefer),
            (
                "postgres://u@[::1]:1/d",
                ["::1", "1", "d", "u"],
                PgSslMode::Prefer,
            ),
            ("postgres://u@h:1", ["h", "1", "u", "u"], PgSslMode::Prefer),
            ("postgres://u@h:1/d?sslmode=allow", usual, PgSslMode::Prefer),
            (
                "postgres://u@/d?hostaddr=10.0.0.1&port=1",
                ["10.0.0.1", "1", "d", "u"],
                PgSslMode::Prefer,
            ),
            (
                "postgres://u@h:1/d?sslmode=disable",
                usual,
                PgSslMode::Disable,
            ),
            (
                "postgres://u@h:1/d?sslmode=require&channel_binding=prefer",
                usual,
                PgSslMode::Require,
            ),
            (
                "postgres://u@h:1/d?sslmode=require&sslrootcert=/ca.pem",
                usual,
                PgSslMode::VerifyCa,
            ),
            (
                "postgres://u@h:1/d?sslmode=verify-full&sslrootcert=system",
                usual,
                PgSslMode::VerifyFull,
            ),
            (
                "postgres://u@:1/d?host=/run/postgresql&sslmode=require",
                [socket, "1", "d", "u"],
                PgSslMode::Disable,
            ),
            (
                "postgres://a%2Bb+c:p%26q+r%3D@/d?host=/run/postgresql&port=1",
                [socket, "1", "d", "a+b+c"],
                PgSslMode::Disable,
            ),
            (
                "postgres:///d?host=/run/postgresql&user=u&port=1&password=x",
                [socket, "1", "d", "u"],
                PgSslMode::Disable,
            ),
            (
                "postgres://u@%2Frun%2Fpostgresql:1/d",
                [socket, "1", "d", "u"],
                PgSslMode::Disable,
            ),
        ] {
            let found = address(text);
            assert_eq!(found.login(), login, "{text}");
            let found = found.options.get_ssl_mode();
            assert!(
                matches!((found, mode), (a, b) if a as u8 == b as u8),
                "{text}"
            );
        }
        let asked = address("postgres://h/d?connect_timeout=7&target_session_attrs=read-write");
        assert_eq!(asked.connect_timeout, Some(Duration::from_secs(7)));
        assert!(asked.wanted == WantedServer::Primary && !asked.has_password);
        let asked = address("postgres://h/d?target_session_attrs=any&password=x");
        assert!(asked.wanted == WantedServer::Any && asked.has_password);
        let named = address("postgres://h/d?application_name=judge");
        assert_eq!(named.options.get_application_name(), Some("judge"));
    }

    #[test]
    fn a_password_reaches_the_driver_as_it_was_meant() {
        for text in [
            "postgres://u:p%26q+r%3D%25@/d?host=/run/postgresql",
            "postgres://u:p%26q+r%3D%25@h/d",
            "postgres://u@h/d?password=p%26q%2Br%3D%25",
        ] {
            let url = address(text).options.extra_float_digits(None);
            let url = sqlx::ConnectOptions::to_url_lossy(&url);
            assert_eq!(url.password(), Some("p%26q%2Br%3D%25"), "{text}");
        }
    }

    #[test]
    fn what_is_not_followed_is_refused_with_what_to_write() {
        for (query, said) in [
            (
                "sslmode=on",
                "its parameter sslmode must be one of disable, allow",
            ),
            (
                "sslrootcert=/ca.pem",
                "has no effect without sslmode=verify-full",
            ),
            (
                "sslrootcert=system",
                "has no effect without sslmode=verify-full",
            ),
            (
                "hostaddr=10.0.0.1",
                "its parameter hostaddr cannot be followed beside a host; write one of the two",
            ),
            (
                "connect_timeout=0",
                "must be a number of seconds from 1 to 300",
            ),
            (
                "connect_timeout=301",
                "must be a number of seconds from 1 to 300",
            ),
            (
                "connect_timeout=hunter2",
                "must be a number of seconds from 1 to 300",
            ),
            (
                "target_session_attrs=read-only",
                "must be any, read-write or primary",
            ),
            ("channel_binding=require", "write sslmode=verify-full"),
            ("client_encoding=LATIN1", "must be UTF8"),
            ("gssencmode=require", "must be disable or prefer"),
            ("passfile=/hunter2", "the environment variable PGPASSFILE"),
            ("search_path=hunter2", "options[search_path]=SCHEMA"),
            (
                "keepalives_idle=1",
                "the parameter keepalives, which this program cannot follow",
            ),
            ("connection_limit=1", "database.connections_max"),
            ("port=hunter2", "a parameter has a value of another kind"),
            ("pwd=hunter2", "one of host, hostaddr, port"),
            ("hunter2", "one of host, hostaddr, port"),
        ] {
            let text = format!("postgres://u@h/d?{query}");
            let error = ServerAddress::parse(&text).err().expect(&text).to_string();
            assert!(error.contains(said), "{query}: {error}");
            assert!(!error.contains("hunter2"), "{query}: {error}");
        }
        for (text, said) in [
            ("/d?hostaddr=10.0.0.1&host=h", "write one of the two"),
            (
                "/d?host=/run/postgresql&hostaddr=10.0.0.1",
                "write one of the two",
            ),
            (
                "/d?hostaddr=10.0.0.1&sslmode=verify-full",
                "its parameter hostaddr leaves no name to check; write the host",
            ),
        ] {
            let error = ServerAddress::parse(&format!("postgres://{text}")).err();
            let error = error.expect(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        for several in [
            "u:p@a,b/d",
            "u:p@a:1,b/d",
            "a:1%2Cb:2/d",
            "/d?host=a,b&port=1,2",
            "a/d?port=1,2",
            "a/d?hostaddr=::1,::2",
        ] {
            let error = ServerAddress::parse(&format!("postgres://{several}")).err();
            assert_eq!(error, Some(AddressError::SeveralHosts), "{several}");
        }
    }
}
