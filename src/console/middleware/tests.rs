//! The layers before pages that fail in their own ways.

use std::net::SocketAddr;

use axum::routing::get;
use reconciler_jobs::restore_execute::canonical::digest_of;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::console::server::serve;
use crate::{clock, config};

const CONNECTIONS_MAX: usize = 8;
const ONE: &str = "rrt_one";
const OTHER: &str = "rrt_other";

/// Pages that fail in their own ways, behind all layers.
struct Stage {
    address: SocketAddr,
    concurrency: Arc<Concurrency>,
    requests_max: usize,
    /// Says that somebody waits for the page that waits.
    entered: Arc<Semaphore>,
    /// Lets one of them go on.
    gate: Arc<Semaphore>,
}

impl Stage {
    async fn set(settings: config::Console, limits: ConsoleLimits) -> Self {
        let access = Arc::new(AccessControl::new(&settings, 10, clock::monotonic()).unwrap());
        let concurrency = Concurrency::new(limits.requests_max, limits.permit_timeout);
        let concurrency = Arc::new(concurrency);
        let (entered, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (enter, pass) = (Arc::clone(&entered), Arc::clone(&gate));
        let waits = async move || {
            enter.add_permits(1);
            pass.acquire().await.unwrap().forget();
        };
        let forever = || [(header::CACHE_CONTROL, "public, immutable")];
        let pages = Router::new()
            .route("/panics", get(|| async { panic!("rrt_secret") as () }))
            .route("/api/panics", get(|| async { panic!("rrt_secret") as () }))
            .route("/hangs", get(std::future::pending::<()>))
            .route("/waits", get(waits))
            .route("/is-quick", get(|| async {}))
            .route("/is-kept", get(async move || forever()))
            .route(
                "/says-no-more",
                get(async move || (StatusCode::CONFLICT, forever())),
            );
        let timeout = limits.request_timeout;
        let pages = protect(pages, &access, Arc::clone(&concurrency), timeout);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let never = CancellationToken::new();
        tokio::spawn(serve(listener, limits.connections, pages, never));
        Self {
            address,
            concurrency,
            requests_max: limits.requests_max,
            entered,
            gate,
        }
    }

    /// With two tokens, for a few pages at once.
    async fn with_room_for(requests_max: usize, permit_timeout: Duration) -> Self {
        let token = |name: &str| config::Token {
            name: name.to_owned(),
            sha256: digest_of(name),
            workspaces: config::Reach::All(config::All::All),
            capabilities: [].into(),
            expires_at: None,
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
    let stage = Stage::with_room_for(8, Duration::from_millis(10)).await;
    stage.occupy(2, ONE).await;
    let refused = stage.ask("/is-quick", ONE).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("retry-after: 1"), "{refused}");
    let answer = stage.ask("/is-quick", OTHER).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn connections_that_say_nothing_break_no_answer_off() {
    let stage = Stage::with_room_for(8, Duration::ZERO).await;
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
async fn a_request_waits_for_a_permit() {
    let stage = Stage::with_room_for(4, Duration::from_secs(10)).await;
    stage.occupy(1, ONE).await;
    let waiting = tokio::spawn(stage.ask("/is-quick", ONE));
    while stage.concurrency.waiting(stage.requests_max) == 0 && !waiting.is_finished() {
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
async fn an_answer_may_say_how_long_it_is_kept_and_a_refusal_may_not() {
    let kept = ask("/is-kept").await;
    assert!(kept.contains("cache-control: public, immutable"), "{kept}");
    assert!(!kept.contains("strict-transport-security"), "{kept}");
    let refused = ask("/says-no-more").await;
    assert!(
        refused.contains("cache-control: private, no-store") && !refused.contains("immutable"),
        "{refused}"
    );
}
