//! The probes over real sockets: what they say, and that no client keeps another from hearing it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use restore_reconciler::internals::console::{ConnectionLimits, serve_probes};
use restore_reconciler::internals::health::{DatabaseState, Health, HealthLimits, Loop, Schema};
use restore_reconciler::internals::metrics::{Exporter, Role};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::console::server::{Answer, Ask, ask, connect, send_to};
use crate::support::time::in_time;

const AWAY: DatabaseState = DatabaseState::Away { why: "no route" };

/// A server on a port of its own, with a clock that stands still until it is told to go on.
struct Server {
    address: SocketAddr,
    health: Arc<Health>,
    seconds: Arc<AtomicU64>,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(limits: ConnectionLimits) -> Self {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = seconds.clone();
        let clock = Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        let health = Health::with_clock(HealthLimits::default(), &[Loop::Queue], clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its number");
        let stop = CancellationToken::new();
        let metrics = Exporter::new(&[Role::Worker], Timestamp::UNIX_EPOCH);
        let exported = metrics.expect("metrics").exported();
        let serving = serve_probes(listener, limits, health.clone(), exported, stop.clone());
        let task = tokio::spawn(serving);
        Self {
            address,
            health,
            seconds,
            stop,
            task,
        }
    }

    /// One in which all is well.
    async fn ready() -> Self {
        let server = Self::start(ConnectionLimits::default()).await;
        server.health.beat(Loop::Queue);
        server.health.polled();
        server.health.database(DatabaseState::Up);
        server.health.schema(Schema::Fits);
        server.health.rights(true);
        server
    }

    /// Connects, and begins to send.
    fn begin(&self, request: &str) -> TcpStream {
        let mut stream = connect(self.address);
        stream.write_all(request.as_bytes()).expect("it listens");
        stream
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        let asked = Ask::new(method, path).header("connection", "keep-alive");
        ask(self.address, &asked)
    }

    /// Status and body of a plain request.
    fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask("GET", path);
        (answer.status, answer.body)
    }
}

fn said(status: u16, body: &str) -> (u16, String) {
    (status, body.to_owned())
}

/// Of a connection that may dawdle.
fn for_hours() -> ConnectionLimits {
    ConnectionLimits {
        lifetime: Duration::from_hours(1),
        ..ConnectionLimits::default()
    }
}

/// The server closed the connection, or broke it off.
fn has_ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_of_a_process_has_its_answers() {
    let server = Server::ready().await;
    let both = || (server.get("/livez"), server.get("/readyz"));
    let (good, bad) = (said(200, "ok\n"), said(503, "not ok\n"));
    assert_eq!(both(), (good.clone(), good.clone()));

    server.health.database(AWAY);
    assert_eq!(both(), (good.clone(), bad.clone()), "the database is away");
    server.health.database(DatabaseState::Up);
    assert_eq!(both(), (good.clone(), good.clone()), "it is back");

    server.seconds.store(16, Ordering::Relaxed);
    assert_eq!(both(), (bad.clone(), bad.clone()), "a loop is silent");
    server.health.beat(Loop::Queue);
    server.health.polled();
    assert_eq!(both(), (good.clone(), good.clone()), "it turns again");

    server.health.stopping();
    assert_eq!(both(), (good, bad), "the process stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn verbose_lists_the_checks_that_led_to_the_answer() {
    let server = Server::ready().await;
    server.health.schema(Schema::Older);
    let ready = "[+] queue loop: last turn 0s ago\n\
        [+] database: up for 0s\n\
        [-] schema: missing or older than this program; run `restore-reconciler migrate`\n\
        [+] rights: all that a worker needs is there and granted\n\
        [+] queue: polled 0s ago\n\
        [+] settling: nothing is in its way\n\
        [+] verdicts: not counted yet\n\
        [+] mode: not known yet\n[+] pauses: not counted yet\n\
        [+] running: takes new work\n\
        not ok\n";
    assert_eq!(server.get("/readyz?verbose"), said(503, ready));
    let live = said(200, "[+] queue loop: last turn 0s ago\nok\n");
    assert_eq!(server.get("/livez?verbose"), live);
    assert_eq!(server.get("/livez?a=b&verbose=1"), live);
    assert_eq!(server.get("/livez?verbosely"), said(200, "ok\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_json_gets_the_report() {
    let server = Server::ready().await;
    server.health.database(AWAY);
    for (path, status) in [("/livez", 200), ("/readyz", 503)] {
        let asked = Ask::get(path).header("Accept", "text/html;q=0.5, Application/JSON;q=0.9");
        let answer = ask(server.address, &asked);
        assert_eq!(answer.status, status);
        let kind = answer.header("content-type").expect("a type");
        assert!(kind.starts_with("application/json"), "{kind}");
        let report = answer.json();
        let expected = serde_json::to_value(server.health.report()).unwrap();
        assert_eq!(report, expected);
        assert_eq!(report["checks"][1]["detail"], "away for 0s: no route");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_refused_and_nothing_is_cached() {
    let server = Server::ready().await;
    for (method, path, status) in [
        ("GET", "/livez", 200),
        ("GET", "/", 404),
        ("GET", "/livez/", 404),
        ("GET", "/LIVEZ", 404),
        ("GET", "/../livez", 404),
        ("POST", "/nothing", 404),
        ("POST", "/livez", 405),
        ("DELETE", "/readyz", 405),
        ("OPTIONS", "/readyz", 405),
        ("HEAD", "/nothing", 404),
    ] {
        let answer = server.ask(method, path);
        assert_eq!(answer.status, status, "{method} {path}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("connection", "close"),
            ("content-type", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {answer:?}");
        }
        assert!(answer.header("content-length").is_some(), "{path}");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_says_what_get_says_without_its_body() {
    let server = Server::start(ConnectionLimits::default()).await;
    let [get, head] = ["GET", "HEAD"].map(|method| server.ask(method, "/readyz?verbose"));
    assert_eq!((head.status, head.body.as_str()), (503, ""));
    let length = get.body.len().to_string();
    assert!(get.body.len() > 10);
    assert_eq!(head.header("content-length"), Some(length.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_beside_each_other_do_not_collide() {
    let (one, two, three) = tokio::join!(Server::ready(), Server::ready(), Server::ready());
    two.health.stopping();
    let status = |server: &Server| server.get("/readyz").0;
    assert_eq!([&one, &two, &three].map(status), [200, 503, 200]);
    one.stop.cancel();
    one.task.await.expect("no panic").expect("a clean end");
    assert_eq!([&two, &three].map(status), [503, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_nothing_keep_nobody_out() {
    let mut limits = for_hours();
    limits.connections_max = 4;
    let server = Server::start(limits).await;
    let mut slow: Vec<_> = (0..4).map(|_| connect(server.address)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: ").unwrap();
    }
    assert_eq!(server.get("/livez"), said(200, "ok\n"), "a fifth client");
    assert!(has_ended(&mut slow[0]), "the oldest made room");
    slow[3].write_all(b"x\r\n\r\n").unwrap();
    let mut answer = String::new();
    slow[3].read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("ok\n"), "the newest did not: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_dawdles_is_cut_off() {
    let limits = ConnectionLimits {
        lifetime: Duration::from_millis(100),
        ..ConnectionLimits::default()
    };
    let server = Server::start(limits).await;
    for begun in ["", "GET /livez HTTP/1.1\r\nhost: x\r\n"] {
        assert!(has_ended(&mut server.begin(begun)), "{begun:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_is_cut_off() {
    let limits = for_hours();
    let server = Server::start(limits).await;
    let long = "y".repeat(limits.bytes_max);
    for start in [
        format!("GET /{long}"),
        format!("GET /livez HTTP/1.1\r\nx: {long}"),
    ] {
        assert!(has_ended(&mut server.begin(&start)), "{}", &start[..20]);
    }
    assert_eq!(server.get("/livez"), said(200, "ok\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_ends_its_own_connection_only() {
    let server = Server::ready().await;
    for nonsense in ["\0\0\0\0", "GET", "\u{16}\u{3}\u{1} TLS"] {
        let request = format!("{nonsense}\r\n\r\n");
        let answer = send_to(server.address, request.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 400, "{nonsense:?}: {answer:?}");
    }
    assert_eq!(server.get("/livez").0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_waits_for_no_slow_client() {
    let server = Server::start(for_hours()).await;
    let _slow = server.begin("GET /livez HTTP/1.1\r\n");
    // The slow client was accepted before this one.
    assert_eq!(server.get("/livez").0, 200);
    server.stop.cancel();
    let ended = in_time("its end", server.task).await.expect("no panic");
    ended.expect("a clean end");
    let refused = TcpStream::connect(server.address);
    assert!(refused.is_err(), "its port is free");
}
