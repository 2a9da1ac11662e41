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

use crate::support::time::{TIMEOUT, in_time};

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
        let exported = Exporter::new(&[Role::Worker], Timestamp::UNIX_EPOCH)
            .expect("metrics")
            .exported();
        let task = tokio::spawn(serve_probes(
            listener,
            limits,
            health.clone(),
            exported,
            stop.clone(),
        ));
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
        server
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    }

    /// Sends one request as it stands, and reads to the end of the connection.
    fn send(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn ask(&self, method: &str, path: &str, header: &str) -> Answer {
        let text = self.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\n{header}\r\n"
        ));
        let (head, body) = text.split_once("\r\n\r\n").expect(&text);
        Answer {
            status: head[9..12].to_owned(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// Status and body of a plain request.
    fn get(&self, path: &str) -> (String, String) {
        let answer = self.ask("GET", path, "");
        (answer.status, answer.body)
    }
}

struct Answer {
    status: String,
    head: String,
    body: String,
}

fn said(status: &str, body: &str) -> (String, String) {
    (status.to_owned(), body.to_owned())
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
    let (good, bad) = (said("200", "ok\n"), said("503", "not ok\n"));
    assert_eq!(both(), (good.clone(), good.clone()));

    server
        .health
        .database(DatabaseState::Away { why: "no route" });
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
    assert_eq!(
        server.get("/readyz?verbose"),
        said(
            "503",
            "[+] queue loop: last turn 0s ago\n\
             [+] database: up for 0s\n\
             [-] schema: missing or older than this program; run `restore-reconciler migrate`\n\
             [+] queue: polled 0s ago\n\
             [+] settling: nothing is in its way\n\
             [+] running: takes new work\n\
             not ok\n"
        )
    );
    let live = said("200", "[+] queue loop: last turn 0s ago\nok\n");
    assert_eq!(server.get("/livez?verbose"), live);
    assert_eq!(server.get("/livez?a=b&verbose=1"), live);
    assert_eq!(server.get("/livez?verbosely"), said("200", "ok\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_json_gets_the_report() {
    let server = Server::ready().await;
    server
        .health
        .database(DatabaseState::Away { why: "no route" });
    for (path, status) in [("/livez", "200"), ("/readyz", "503")] {
        let answer = server.ask(
            "GET",
            path,
            "Accept: text/html;q=0.5, Application/JSON;q=0.9\r\n",
        );
        assert_eq!(answer.status, status);
        assert!(answer.head.contains("content-type: application/json"));
        let report: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(
            report,
            serde_json::to_value(server.health.report()).unwrap()
        );
        assert_eq!(report["checks"][1]["detail"], "away for 0s: no route");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_refused_and_nothing_is_cached() {
    let server = Server::ready().await;
    for (method, path, status) in [
        ("GET", "/livez", "200"),
        ("GET", "/", "404"),
        ("GET", "/livez/", "404"),
        ("GET", "/LIVEZ", "404"),
        ("GET", "/../livez", "404"),
        ("POST", "/nothing", "404"),
        ("POST", "/livez", "405"),
        ("DELETE", "/readyz", "405"),
        ("OPTIONS", "/readyz", "405"),
        ("HEAD", "/nothing", "404"),
    ] {
        let answer = server.ask(method, path, "");
        assert_eq!(answer.status, status, "{method} {path}");
        let type_and_length = [
            "content-type: text/plain; charset=utf-8",
            "content-length: ",
        ];
        for header in ["cache-control: no-store", "connection: close"]
            .iter()
            .chain(&type_and_length)
        {
            assert!(answer.head.contains(header), "{path}: {}", answer.head);
        }
        if status == "405" {
            assert!(answer.head.contains("allow: get,head"), "{}", answer.head);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_says_what_get_says_without_its_body() {
    let server = Server::start(ConnectionLimits::default()).await;
    let [get, head] = ["GET", "HEAD"].map(|method| server.ask(method, "/readyz?verbose", ""));
    assert_eq!((head.status.as_str(), head.body.as_str()), ("503", ""));
    let length = format!("content-length: {}", get.body.len());
    assert!(get.body.len() > 10 && head.head.contains(&length));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_beside_each_other_do_not_collide() {
    let (one, two, three) = tokio::join!(Server::ready(), Server::ready(), Server::ready());
    two.health.stopping();
    let status = |server: &Server| server.get("/readyz").0;
    assert_eq!([&one, &two, &three].map(status), ["200", "503", "200"]);
    one.stop.cancel();
    one.task.await.expect("no panic").expect("a clean end");
    assert_eq!([&two, &three].map(status), ["503", "200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_nothing_keep_nobody_out() {
    let limits = ConnectionLimits {
        connections_max: 4,
        lifetime: Duration::from_hours(1),
        ..ConnectionLimits::default()
    };
    let server = Server::start(limits).await;
    let mut slow: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: ").unwrap();
    }
    assert_eq!(server.get("/livez"), said("200", "ok\n"), "a fifth client");
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
        let mut stream = server.connect();
        stream.write_all(begun.as_bytes()).unwrap();
        assert!(has_ended(&mut stream), "{begun:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_is_cut_off() {
    let limits = ConnectionLimits {
        lifetime: Duration::from_hours(1),
        ..ConnectionLimits::default()
    };
    let server = Server::start(limits).await;
    let long = "y".repeat(limits.bytes_max);
    for start in [
        format!("GET /{long}"),
        format!("GET /livez HTTP/1.1\r\nx: {long}"),
    ] {
        let mut stream = server.connect();
        stream.write_all(start.as_bytes()).unwrap();
        assert!(has_ended(&mut stream), "{}", &start[..20]);
    }
    assert_eq!(server.get("/livez"), said("200", "ok\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_ends_its_own_connection_only() {
    let server = Server::ready().await;
    for nonsense in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1} TLS\r\n\r\n",
    ] {
        let answer = server.send(nonsense);
        assert!(answer.starts_with("HTTP/1.1 400"), "{nonsense:?}: {answer}");
    }
    assert_eq!(server.get("/livez").0, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_waits_for_no_slow_client() {
    let limits = ConnectionLimits {
        lifetime: Duration::from_hours(1),
        ..ConnectionLimits::default()
    };
    let server = Server::start(limits).await;
    let mut slow = server.connect();
    slow.write_all(b"GET /livez HTTP/1.1\r\n").unwrap();
    assert_eq!(
        server.get("/livez").0,
        "200",
        "the slow client was accepted before"
    );
    server.stop.cancel();
    in_time("its end", server.task)
        .await
        .expect("no panic")
        .expect("a clean end");
    assert!(
        TcpStream::connect(server.address).is_err(),
        "its port is free"
    );
}
