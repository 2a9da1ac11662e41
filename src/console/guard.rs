//! Stands before every page: who asks, from where, how much, how often, how long.
//!
//! ```text
//! request ─▶ size ─▶ host ─▶ origin ─▶ who ─▶ rate ─▶ body ─▶ form ─▶ turn ─▶ page ─▶ headers ─▶ answer
//! ```
//!
//! **Invariants:**
//! - A page runs for a known viewer only, save those of [`is_open`], and a page that changes something only for a
//!   request that no other site could have made.
//! - Every answer has the security headers, whoever made it. What hyper refuses before it is a request has no body.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::FutureExt as _;

use super::access::{
    Asker, Cookie, FormToken, NoChance, Rates, Sessions, Shown, TokenId, Tokens, Viewer, chance,
    is_from_elsewhere, names_this_machine,
};
use super::headers::secure;
use super::login::{self, field};
use super::metrics::METRICS;
use super::pages::render_problem_page;
use super::problem::{OwnPage, Problem};
use super::serve::ConsoleLimits;
use super::server::Client;
use super::turns::Turns;
use crate::clock::Clock;
use crate::config;

/// The longest target of a request, in bytes.
const TARGET_BYTES_MAX: usize = 4 << 10;
/// The longest headers of a request, in bytes of names and values.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// The most headers of a request.
const HEADERS_MAX: usize = 64;
/// The longest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;
/// The header that scripts may send instead of the field `csrf` of a form.
const FORM_TOKEN_HEADER: &str = "x-csrf-token";

/// What the guard knows.
pub(super) struct Guard {
    pub(super) tokens: Tokens,
    pub(super) sessions: Sessions,
    pub(super) logins: Rates,
    pub(super) cookie: Cookie,
    requests: Rates,
    turns: Turns,
    limits: ConsoleLimits,
    behind_tls: bool,
    /// What forms send back where nobody logs in.
    local: FormToken,
    clock: Clock,
}

/// Who asks, as far as it is known.
enum Who {
    /// Whoever is on this machine, where there are no tokens.
    Local,
    /// A token.
    Bearer(TokenId),
    /// A session, with what its forms send back.
    Session(TokenId, FormToken),
    /// A token that is nobody's.
    Refused,
    /// Who showed nothing, or a session that has ended.
    Nobody,
}

impl Guard {
    pub(super) fn new(
        settings: &config::Console,
        limits: ConsoleLimits,
        clock: Clock,
    ) -> Result<Self, NoChance> {
        Ok(Self {
            tokens: Tokens::new(&settings.tokens),
            sessions: Sessions::new(settings.session_idle, settings.session_max),
            logins: Rates::per_minute(limits.logins_per_minute),
            cookie: Cookie::new(settings.behind_tls),
            requests: Rates::per_minute(settings.requests_per_minute),
            turns: Turns::new(limits.requests_max, limits.permit_timeout),
            limits,
            behind_tls: settings.behind_tls,
            local: FormToken::new(&chance()?),
            clock,
        })
    }

    pub(super) fn now(&self) -> Duration {
        (self.clock)()
    }

    /// The request as a page gets it, and who asks; or what is answered instead.
    async fn admit(
        &self,
        client: SocketAddr,
        request: Request,
        known: &OnceLock<Viewer>,
    ) -> Result<(Asker, Request), Response> {
        let (parts, body) = request.into_parts();
        self.check_shape(&parts).map_err(Problem::into_response)?;
        let who = self.identify(&parts);
        if let Some(viewer) = self.viewer(&who) {
            known.get_or_init(|| viewer);
        }
        let asker = match who {
            Who::Bearer(id) | Who::Session(id, _) => Asker::Token(id),
            Who::Local | Who::Refused | Who::Nobody => Asker::at(client.ip()),
        };
        self.requests
            .take(asker, self.now())
            .map_err(|wait| Problem::too_many_requests(wait).into_response())?;
        match who {
            Who::Local | Who::Bearer(_) | Who::Session(..) => {}
            Who::Refused => return Err(StatusCode::UNAUTHORIZED.into_response()),
            Who::Nobody if is_open(parts.uri.path()) => {}
            Who::Nobody => return Err(turn_away(&parts)),
        }
        let body = read_body(&parts, body, self.limits.request_timeout / 2)
            .await
            .map_err(Problem::into_response)?;
        let by_form = matches!(who, Who::Local | Who::Session(..));
        if by_form && !is_safe(&parts.method) && parts.uri.path() != login::LOGIN {
            let sent = sent_form_token(&parts, &body).unwrap_or_default();
            let token = known.get().and_then(|viewer| viewer.form_token.as_ref());
            if !token.is_some_and(|token| token.is(&sent)) {
                return Err(Problem::foreign().into_response());
            }
        }
        let mut request = Request::from_parts(parts, Body::from(body));
        request.extensions_mut().insert(known.get().cloned());
        Ok((asker, request))
    }

    /// Somebody known, with what their forms send back.
    fn viewer(&self, who: &Who) -> Option<Viewer> {
        match who {
            Who::Local => Some(Viewer::local(self.local.clone())),
            Who::Bearer(id) => self.tokens.viewer(*id).cloned(),
            Who::Session(id, form_token) => Some(Viewer {
                form_token: Some(form_token.clone()),
                ..self.tokens.viewer(*id)?.clone()
            }),
            Who::Refused | Who::Nobody => None,
        }
    }

    /// What can be refused without knowing who asks.
    fn check_shape(&self, parts: &Parts) -> Result<(), Problem> {
        let target = parts
            .uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if target > TARGET_BYTES_MAX {
            return Err(StatusCode::URI_TOO_LONG.into());
        }
        let bytes: usize = parts
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if bytes > HEADER_BYTES_MAX || parts.headers.len() > HEADERS_MAX {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into());
        }
        if parts.headers.get_all(header::HOST).iter().count() > 1 {
            return Err(Problem::bad_request("There may be one Host header."));
        }
        if self.tokens.is_empty() && !names_this_machine(parts) {
            return Err(Problem::misdirected());
        }
        if !is_safe(&parts.method) && is_from_elsewhere(parts) {
            return Err(Problem::foreign());
        }
        Ok(())
    }

    fn identify(&self, parts: &Parts) -> Who {
        if self.tokens.is_empty() {
            return Who::Local;
        }
        match Shown::by(parts, self.cookie) {
            Shown::Bearer(token) => self.tokens.find(token).map_or(Who::Refused, Who::Bearer),
            Shown::Nonsense => Who::Refused,
            Shown::Session(id) => self
                .sessions
                .find(id, self.now())
                .map_or(Who::Nobody, |token| Who::Session(token, FormToken::new(id))),
            Shown::Nothing => Who::Nobody,
        }
    }

    /// Answers when it is this request's turn, or that there are too many before it.
    async fn answer(
        &self,
        client: &Client,
        request: Request,
        next: Next,
        known: &OnceLock<Viewer>,
    ) -> Response {
        let (asker, request) = match self.admit(client.address, request, known).await {
            Ok(admitted) => admitted,
            Err(answer) => return answer,
        };
        let _answering = client.begin();
        let Some(_turn) = self.turns.take(asker).await else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        next.run(request).await
    }
}

/// The middleware.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    ConnectInfo(client): ConnectInfo<Client>,
    request: Request,
    next: Next,
) -> Response {
    let is_api = is_api(request.uri().path());
    let known = OnceLock::new();
    let answering = guard.answer(&client, request, next, &known);
    let answering = AssertUnwindSafe(answering).catch_unwind();
    let response = match tokio::time::timeout(guard.limits.request_timeout, answering).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a page panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let mut response = finish(response, is_api, known.get(), guard.behind_tls);
    if client.should_end() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Gives every refusal one of two forms, and every answer its headers.
fn finish(response: Response, is_api: bool, viewer: Option<&Viewer>, behind_tls: bool) -> Response {
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let is_finished = response.extensions().get::<OwnPage>().is_some();
    let mut response = if is_refusal && !is_finished {
        let problem = response
            .extensions()
            .get()
            .cloned()
            .unwrap_or_else(|| Problem::from(status));
        let mut refusal = if is_api {
            problem.to_json()
        } else {
            to_page(&problem, viewer)
        };
        if let Some(allowed) = response.headers().get(header::ALLOW) {
            refusal.headers_mut().insert(header::ALLOW, allowed.clone());
        }
        refusal
    } else {
        response
    };
    secure(response.headers_mut(), is_refusal, behind_tls);
    response
}

/// The page for whoever asked; for nobody known, without a menu.
fn to_page(problem: &Problem, viewer: Option<&Viewer>) -> Response {
    let status = problem.status.as_u16();
    let page = render_problem_page(problem.title, problem.detail(), status, viewer);
    problem.with_body("text/html; charset=utf-8", page.into_bytes())
}

/// Pages that nobody needs to be known for: those that a login is made of.
fn is_open(path: &str) -> bool {
    path == login::LOGIN || path.starts_with("/assets/")
}

/// Whether it is programs that ask there.
fn is_api(path: &str) -> bool {
    path == METRICS || path == "/api" || path.starts_with("/api/")
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Sends a browser to the login, which leads back, and tells a program what it needs.
fn turn_away(parts: &Parts) -> Response {
    if is_api(parts.uri.path()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let target = parts.uri.path_and_query().map(PathAndQuery::as_str);
    let back = target.filter(|_| is_safe(&parts.method));
    Redirect::to(&login::address(back)).into_response()
}

/// The body of a request that changes something; others have none that counts.
async fn read_body(parts: &Parts, body: Body, within: Duration) -> Result<Bytes, Problem> {
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE.into());
    }
    if is_safe(&parts.method) {
        return Ok(Bytes::new());
    }
    let mut limited = Request::new(body);
    DefaultBodyLimit::max(BODY_BYTES_MAX).apply(&mut limited);
    match tokio::time::timeout(within, Bytes::from_request(limited, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(refused)) => Err(refused.status().into()),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT.into()),
    }
}

/// What a form, or a script, sent back to show that it is one of ours.
fn sent_form_token(parts: &Parts, body: &Bytes) -> Option<Vec<u8>> {
    if let Some(sent) = parts.headers.get(FORM_TOKEN_HEADER) {
        return Some(sent.as_bytes().to_vec());
    }
    field(body, "csrf").map(String::into_bytes)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use reconciler_jobs::restore_execute::canonical::digest_of;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Semaphore;

    use tokio_util::sync::CancellationToken;

    use super::super::server::{ConnectionLimits, serve};
    use super::*;
    use crate::clock::monotonic;

    const CONNECTIONS_MAX: usize = 8;
    const ONE: &str = "rrt_one";
    const OTHER: &str = "rrt_other";

    /// Pages that fail in their own ways, before a guard.
    struct Stage {
        address: SocketAddr,
        guard: Arc<Guard>,
        /// Says that somebody waits for the page that waits.
        entered: Arc<Semaphore>,
        /// Lets one of them go on.
        gate: Arc<Semaphore>,
    }

    impl Stage {
        async fn set(settings: config::Console, limits: ConsoleLimits) -> Self {
            let guarding = Arc::new(Guard::new(&settings, limits, monotonic()).unwrap());
            let (entered, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
            let (enter, pass) = (Arc::clone(&entered), Arc::clone(&gate));
            let waits = async move || {
                enter.add_permits(1);
                pass.acquire().await.unwrap().forget();
            };
            let pages = Router::new()
                .route("/panics", get(|| async { panic!("rrt_secret") as () }))
                .route("/api/panics", get(|| async { panic!("rrt_secret") as () }))
                .route("/hangs", get(std::future::pending::<()>))
                .route("/waits", get(waits))
                .route("/is-quick", get(|| async {}))
                .route("/says-no-more", get(|| async { StatusCode::CONFLICT }))
                .layer(from_fn_with_state(Arc::clone(&guarding), guard));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let never = CancellationToken::new();
            tokio::spawn(serve(listener, limits.connections, pages, never));
            Self {
                address,
                guard: guarding,
                entered,
                gate,
            }
        }

        /// With two tokens, for a few pages at once.
        async fn with_turns(requests_max: usize, permit_timeout: Duration) -> Self {
            let token = |name: &str| config::Token {
                name: name.to_owned(),
                sha256: digest_of(name),
                workspaces: config::Reach::All(config::All::All),
                capabilities: [].into(),
            };
            let settings = config::Console {
                tokens: vec![token(ONE), token(OTHER)],
                ..config::Console::default()
            };
            let limits = ConsoleLimits {
                requests_max,
                permit_timeout,
                connections: ConnectionLimits {
                    connections_max: CONNECTIONS_MAX,
                    ..ConsoleLimits::default().connections
                },
                ..ConsoleLimits::default()
            };
            Self::set(settings, limits).await
        }

        /// Asks for `path`, and reads to the end of the answer.
        fn ask(&self, path: &str, token: &str) -> impl Future<Output = String> + 'static {
            let address = self.address;
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                 authorization: Bearer {token}\r\n\r\n"
            );
            async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                assert!(
                    answer.contains("content-security-policy: default-src 'none'"),
                    "{answer}"
                );
                answer
            }
        }

        /// Has so many pages made that wait.
        async fn occupy(&self, pages: u32, token: &str) {
            for _ in 0..pages {
                tokio::spawn(self.ask("/waits", token));
            }
            let entered = self.entered.acquire_many(pages).await;
            entered.unwrap().forget();
        }
    }

    /// Asks for `path` where nobody logs in.
    async fn ask(path: &str) -> String {
        let limits = ConsoleLimits {
            request_timeout: Duration::from_millis(100),
            ..ConsoleLimits::default()
        };
        let stage = Stage::set(config::Console::default(), limits).await;
        stage.ask(path, "").await
    }

    #[tokio::test]
    async fn whoever_has_many_pages_made_keeps_nobody_else_out() {
        let stage = Stage::with_turns(8, Duration::from_millis(10)).await;
        stage.occupy(2, ONE).await;
        let refused = stage.ask("/is-quick", ONE).await;
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.contains("retry-after: 1"), "{refused}");
        let answer = stage.ask("/is-quick", OTHER).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn connections_that_say_nothing_break_no_answer_off() {
        let stage = Stage::with_turns(8, Duration::ZERO).await;
        let waiting = tokio::spawn(stage.ask("/waits", ONE));
        stage.entered.acquire().await.unwrap().forget();
        let mut silent = Vec::new();
        for _ in 0..2 * CONNECTIONS_MAX {
            silent.push(TcpStream::connect(stage.address).await.unwrap());
        }
        // Accepted after all of them.
        let answer = stage.ask("/is-quick", OTHER).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        stage.gate.add_permits(1);
        let answer = waiting.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn a_request_waits_for_its_turn() {
        let stage = Stage::with_turns(4, Duration::from_secs(10)).await;
        stage.occupy(1, ONE).await;
        let waiting = tokio::spawn(stage.ask("/is-quick", ONE));
        while stage.guard.turns.waiting() == 0 && !waiting.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        stage.gate.add_permits(1);
        let answer = waiting.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn a_page_that_panics_is_an_answer_without_its_reason() {
        let page = ask("/panics").await;
        assert!(page.starts_with("HTTP/1.1 500 "), "{page}");
        assert!(
            page.contains("text/html") && !page.contains("secret"),
            "{page}"
        );
        let api = ask("/api/panics").await;
        assert!(
            api.contains("application/problem+json") && api.contains(":internal\""),
            "{api}"
        );
    }

    #[tokio::test]
    async fn a_page_that_hangs_is_not_waited_for() {
        let page = ask("/hangs").await;
        assert!(page.starts_with("HTTP/1.1 503 "), "{page}");
        assert!(page.contains("retry-after: 1"), "{page}");
    }

    #[tokio::test]
    async fn a_refusal_that_says_nothing_is_given_words() {
        let page = ask("/says-no-more").await;
        assert!(page.contains("<nav aria-label=\"Main\">"), "{page}");
        assert!(!page.contains("Log out"), "nobody logged in: {page}");
        assert!(page.starts_with("HTTP/1.1 409 "), "{page}");
        assert!(
            page.contains(">The request cannot be understood</h1>"),
            "{page}"
        );
        assert!(
            ask("/nothing")
                .await
                .contains(">There is nothing here</h1>")
        );
    }

    #[tokio::test]
    async fn a_page_cannot_be_broken_out_of() {
        let response = to_page(&Problem::bad_request("<script>\"'&"), None);
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await;
        let body = String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        assert!(body.contains("&#60;script&#62;&#34;&#39;&#38;"), "{body}");
        assert!(!body.contains("<script"), "{body}");
    }

    #[test]
    fn whoever_must_wait_or_log_in_is_told() {
        let wait = to_page(&StatusCode::SERVICE_UNAVAILABLE.into(), None);
        assert_eq!(wait.headers()["retry-after"], "1");
        let challenge = to_page(&StatusCode::UNAUTHORIZED.into(), None);
        assert_eq!(challenge.headers()["www-authenticate"], "Bearer");
    }
}
