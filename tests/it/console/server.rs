//! A console on a port of its own, and a client that sends what it is told, well-formed or not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::restore_execute::canonical::digest_of;
use restore_reconciler::internals::config::{self, All, Capability, Config, Reach};
use restore_reconciler::internals::console::{ConsoleLimits, ConsoleState, serve_console};
use restore_reconciler::internals::storage::Limits;
use restore_reconciler::internals::storage::reader::{open_reader, open_requests};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::platform::{OWN, Platform};
use crate::support::time::TIMEOUT;

/// Sees everything.
pub(crate) const CHIEF: &str = "rrt_chief-5a0d8e";
/// Sees one workspace, and looks at runs only.
pub(crate) const GUEST: &str = "rrt_guest-77c1f2";
/// Sees the same workspace, and may do everything.
pub(crate) const MEMBER: &str = "rrt_member-3be94a";
/// Reads metrics.
pub(crate) const PROBE: &str = "rrt_probe-e9b304";

/// What every answer has, whatever was asked.
const ALWAYS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];

/// A console, with a clock that stands still until it is told to go on.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seconds: Arc<AtomicU64>,
    /// Gone with the server.
    pub(crate) platform: Platform,
}

impl Server {
    /// One with the tokens above.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_, _| ()).await
    }

    /// The same, but for what `differs`.
    pub(crate) async fn start_with(differs: impl FnOnce(&mut Config, &mut ConsoleLimits)) -> Self {
        let (mut config, mut limits) = (with_tokens(), ConsoleLimits::default());
        differs(&mut config, &mut limits);
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let clock = Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its number");
        let platform = Platform::planted().await;
        let console = console_over(&platform, config).await;
        let stop = CancellationToken::new();
        tokio::spawn(serve_console(listener, console, limits, clock, stop));
        Self {
            address,
            seconds,
            platform,
        }
    }

    pub(crate) fn go_on(&self, by: Duration) {
        self.seconds.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    pub(crate) fn ask(&self, request: &Ask) -> Answer {
        ask(self.address, request)
    }

    pub(crate) fn get(&self, target: &str, token: &str) -> Answer {
        self.ask(&Ask::get(target).bearer(token))
    }

    pub(crate) fn status(&self, target: &str, cookie: &str) -> u16 {
        self.ask(&Ask::get(target).cookie(cookie)).status
    }

    pub(crate) fn log_in(&self, token: &str) -> String {
        let answer = self.ask(&Ask::post("/login").form(&[("token", token)]));
        assert_eq!(answer.status, 303, "{answer:?}");
        answer.cookie()
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Sends these bytes, and reads to the end of the connection. Nothing where it was broken off.
pub(crate) fn send_to(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut stream = connect(address);
    // Who refuses early closes early.
    stream.write_all(request).ok();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok();
    Answer::read(&bytes)
}

/// The answer to a request, which must not be broken off.
pub(crate) fn ask(address: SocketAddr, request: &Ask) -> Answer {
    let answer = send_to(address, &request.bytes(address));
    answer.unwrap_or_else(|| panic!("no answer to {request:?}"))
}

/// A request under construction.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        self.body = form.extend_pairs(fields).finish().into_bytes();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// The request as it is sent: to this host and for one answer, unless its own headers say otherwise.
    pub(crate) fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let says = |name: &str| self.headers.iter().any(|(own, _)| own == name);
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.target)];
        if !says("host") {
            lines.push(format!("host: {address}"));
        }
        if !says("connection") {
            lines.push("connection: close".to_owned());
        }
        if !self.body.is_empty() && !says("content-length") && !says("transfer-encoding") {
            lines.push(format!("content-length: {}", self.body.len()));
        }
        let own = self.headers.iter();
        lines.extend(own.map(|(name, value)| format!("{name}: {value}")));
        [lines.join("\r\n").as_bytes(), b"\r\n\r\n", &self.body].concat()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) bytes: usize,
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Some(Self {
            status,
            headers,
            body: body.to_owned(),
            bytes: bytes.len(),
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(own, _)| own == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice: {self:?}");
        value
    }

    /// The cookie that is set, as a browser sends it back.
    pub(crate) fn cookie(&self) -> String {
        let set = self.header("set-cookie").expect("a cookie");
        set.split(';').next().unwrap().to_owned()
    }

    /// What the forms on this page send back.
    pub(crate) fn form_token(&self) -> String {
        let rest = self.body.split("name=\"csrf\" value=\"").nth(1);
        let rest = rest.expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }

    /// The problem's type, on the API.
    pub(crate) fn problem(&self) -> String {
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"));
        let body = self.json();
        assert_eq!(body["status"], self.status, "{body}");
        let kind = body["type"].as_str().expect("a type");
        kind.rsplit(':').next().unwrap().to_owned()
    }

    /// Asserts that the API refuses, and as what.
    #[track_caller]
    pub(crate) fn is_refused(&self, status: u16, problem: &str) {
        let found = (self.status, self.problem());
        assert_eq!(found, (status, problem.to_owned()), "{self:?}");
    }

    /// Asserts that a browser is led on.
    #[track_caller]
    pub(crate) fn leads_to(&self, location: &str) {
        let found = (self.status, self.header("location"));
        assert_eq!(found, (303, Some(location)), "{self:?}");
    }

    pub(crate) fn has_security_headers(&self) -> bool {
        let mut always = ALWAYS.iter();
        always.all(|(name, value)| self.header(name) == Some(value))
            && self.header("cache-control").is_some()
            && self.header("permissions-policy").is_some()
    }
}

pub(crate) fn entry(token: &str, workspaces: Reach, can: &[Capability]) -> config::Token {
    config::Token {
        name: token.split(['_', '-']).nth(1).unwrap().to_owned(),
        sha256: digest_of(token),
        workspaces,
        capabilities: can.iter().copied().collect(),
        expires_at: None,
    }
}

pub(crate) fn with_tokens() -> Config {
    let mut config = Config::default();
    config.console.tokens = vec![
        entry(CHIEF, Reach::All(All::All), &Capability::ALL),
        entry(GUEST, Reach::Only([OWN].into()), &[Capability::RunsView]),
        entry(MEMBER, Reach::Only([OWN].into()), &Capability::ALL),
        entry(PROBE, Reach::All(All::All), &[Capability::MetricsView]),
    ];
    config
}

pub(crate) async fn console_over(platform: &Platform, config: Config) -> ConsoleState {
    let limits = Limits::default();
    let reader = open_reader(&platform.url, &limits).await.expect("a reader");
    let requests = open_requests(&platform.url, &limits).await;
    let requests = requests.expect("requests");
    ConsoleState::new(reader, requests, &config, Timestamp::UNIX_EPOCH)
}
