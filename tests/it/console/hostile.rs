//! Thousands of requests that nobody means well with: none is answered with a failure of ours, with anything of
//! another workspace, with a secret, without the security headers, or with more than a page's worth of bytes.
//!
//! Every path is a row of [`PATHS`]; what is put into its gaps, behind it and around it are tables of their own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::platform::{
    DELETED, ELSEWHERE, FAILED, KINDS, LINKED, MARKER, OWN, RUNNING, SECRET, id,
};
use super::server::{Answer, Ask, CHIEF, GUEST, MEMBER, Server, connect, send_to};

/// What there is to ask for, and what there might be; `{}` is an id.
const PATHS: &str = "
    / /login /logout /assets/{} /runs /runs.csv /runs.json /runs/{} /runs/{}/evidence
    /runs/{}/explain /runs/{}/reconcile /restores /restores.csv /restores/{} /queue /queue/{}/retry /queue/{}/drop /api /api/v1/
    /api/v1/openapi.json /api/v1/runs /api/v1/runs/{} /api/v1/runs/{}/explain /api/v1/runs/{}/reconcile
    /find /find?q={} /reasons /reasons/{} /api/v1/queue/{}/retry /api/v1/queue/{}/drop
    /api/v1/restores /api/v1/restores/{}/gates /api/v1/posture /api/v1/status /api/v1/queue /api/v1/sweeps /nothing/{} /livez
    /readyz
";

/// Ids that are none, of what may be seen, and of what may not.
const IDS: &str = "
    1 1001 1002 1003 1004 1005 2001 2002 2003 2004 2005 0 -1 +1 01 1.0 1e3 0x1
    9223372036854775807 9223372036854775808 99999999999999999999999999999999999999 %31 %00 % %zz
    %ff%fe %EF%BC%91 %2e%2e%2f%2e%2e%2fetc%2fpasswd .. ../../etc/passwd ..%5c..%5cx 1/../2 1;x=y
    1%20OR%201=1-- '%22%3E%3Cscript%3Ealert(1)%3C/script%3E %7B%7B7*7%7D%7D $%7Bjndi:ldap://x%7D
    null NaN ~ *
";

/// What stands behind a path, if anything.
const QUERIES: &str = "
    ? ?below= ?below=1 ?below=2003 ?below=-1 ?below=%00 ?below=AAAA%3D%3D
    ?below=9223372036854775807 ?below=9223372036854775808 ?below=%ff ?below=1&below=2 ?below[]=1
    ?after=1-1 ?after=2-2 ?after=1.1 ?after=- ?after=9223372036854775807-9223372036854775807
    ?cursor=eyJpZCI6NDcxMX0 ?workspace=2 ?workspace=2&below=3000&limit=200
    ?environment=2&undecided=true ?workspace=all ?workspace=1&workspace=2 ?environment=%27%3B--
    ?outcome=Succeeded%00 ?reason=restore.nothing ?state=%F0%9F%92%A9 ?state=completed
    ?reason=restore.execution_failed&outcome=failed ?outcome=succeeded&undecided=false&limit=200
    ?older_than=0s ?older_than=-1h ?older_than=99999999999h
    ?older_than=438000h&younger_than=438000h ?younger_than=P1Y ?younger_than=%00 ?limit=0
    ?limit=-1 ?limit=99999999999 ?limit=1e9 ?undecided=maybe ?created_from=0000-00-00
    ?created_from=9999-12-31T23:59:60Z&created_before=-9999-01-01 ?format=csv
    ?kind=preparing ?kind=%00 ?kind=without_run&recovery_posture_reason=no_history
    ?recovery_posture_reason=healthy ?next=//evil.example ?next=%0d%0aset-cookie:%20a=b ?csrf=x ?% ?%zz=% ?a=b&a=b&a=b&=&&&=
    ?__proto__=1 ?x#y
";

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
    "get", "QUERY",
];

/// Headers that somebody might be trusted by, confused by, or tied up with.
const HEADERS: &[(&str, &str)] = &[
    ("authorization", "Bearer"),
    ("authorization", "Bearer \u{e9}"),
    ("authorization", "Basic Og=="),
    ("authorization", "Bearer ' OR 1=1"),
    ("cookie", "restore-reconciler="),
    ("cookie", "restore-reconciler=x; restore-reconciler=y"),
    ("cookie", "=;;==;\u{e9}"),
    ("cookie", "__Host-restore-reconciler=x"),
    ("host", "evil.example"),
    ("host", ""),
    ("host", "a b"),
    ("host", "x:99999"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "evil.example"),
    ("x-original-url", "/api/v1/"),
    ("x-http-method-override", "DELETE"),
    ("forwarded", "for=127.0.0.1;host=evil.example"),
    ("origin", "null"),
    ("origin", "http://evil.example"),
    ("sec-fetch-site", "cross-site"),
    ("x-csrf-token", "\u{e9}"),
    ("accept", "*/*;q=9999999999999"),
    ("accept", "application/json, text/html;q=\u{0}"),
    ("accept-encoding", "gzip, br, zstd"),
    ("if-none-match", "*"),
    ("if-none-match", "W/\"x\", \"y"),
    ("if-modified-since", "Sat, 00 Foo 0000 99:99:99 GMT"),
    ("range", "bytes=0-0,0-0,0-0,-1"),
    ("expect", "100-continue"),
    ("expect", "x"),
    ("upgrade", "h2c"),
    ("upgrade", "websocket"),
    ("content-type", "application/xml"),
    ("content-type", ";;;charset=\u{e9}"),
    ("content-encoding", "gzip"),
    ("content-length", "-1"),
    ("content-length", "0, 0"),
    ("content-length", "99999999999999999999"),
    ("transfer-encoding", "gzip"),
    ("transfer-encoding", "chunked, identity"),
    ("te", "trailers, deflate;q=0.5"),
    ("connection", "close, authorization, cookie"),
    ("last-event-id", "1"),
    ("traceparent", "00-zz-zz-00"),
    ("x", ""),
];

/// Bodies that are no form, no JSON, or too much of either.
fn bodies() -> Vec<Vec<u8>> {
    let deep = |n: usize| ["[".repeat(n), "]".repeat(n)].concat().into_bytes();
    let mut all: Vec<Vec<u8>> = [
        "",
        "{}",
        "[]",
        "null",
        "0",
        "\"\u{0}\"",
        "{\"run\":4711}",
        "{\"run\":1e400}",
        "{\"a\":1,\"a\":2}",
        "{\"a\"",
        "{\"\\ud800\":1}",
        "csrf=",
        "csrf=x&csrf=y",
        "token=%00&next=%ff",
        "token=&next=%0d%0aset-cookie%3Aa%3Db",
        "%=%&=&&%zz",
        "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    all.extend([
        vec![0xff; 100],
        vec![0; 16 << 10],
        vec![b'a'; (16 << 10) + 1],
        deep(8_000),
        b"a=&".repeat(5_000),
        [b"token=".to_vec(), vec![b'x'; 10_000]].concat(),
    ]);
    all
}

/// No answer may hold any of these.
const MARKERS: [&str; 5] = [MARKER, SECRET, CHIEF, GUEST, MEMBER];
const MARKERS_OF_OTHERS: &str = "postgres:// sqlite: root:x:0:0 panicked src/ <script";

const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Requests, asked in turn by each of those who are not to see everything.
struct Requests {
    askers: [Ask; ASKERS],
    all: Vec<Ask>,
}

const ASKERS: usize = 4;

/// Nobody, two tokens, and a session whose requests hold what its forms send back.
fn askers(server: &Server) -> [Ask; ASKERS] {
    let nobody = || Ask::get("");
    let session = nobody().cookie(&server.log_in(MEMBER));
    let page = server.ask(&Ask::get("/").cookie(&session.headers[0].1));
    let session = session.header("x-csrf-token", &page.form_token());
    let [guest, member] = [GUEST, MEMBER].map(|token| nobody().bearer(token));
    [nobody(), guest, member, session]
}

impl Requests {
    fn add(&mut self, method: &str, target: String) -> &mut Ask {
        let asker = self.askers[self.all.len() % self.askers.len()].clone();
        self.all.push(Ask {
            method: method.to_owned(),
            target,
            ..asker
        });
        self.all.last_mut().unwrap()
    }

    fn add_path(&mut self, path: &str) {
        let filled = path.replace("{}", "1003");
        for method in METHODS {
            for _ in 0..ASKERS {
                self.add(method, filled.clone());
            }
        }
        for id in IDS.split_whitespace().filter(|_| path.contains("{}")) {
            // Five, so that another asker begins with the next.
            for method in ["GET", "GET", "GET", "POST", "POST"] {
                self.add(method, path.replace("{}", id));
            }
        }
        for query in [""].into_iter().chain(QUERIES.split_whitespace()) {
            for _ in 1..ASKERS {
                self.add("GET", format!("{filled}{query}"));
            }
        }
    }

    fn add_abuse(&mut self, path: &str) {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (name, value) in HEADERS {
            for method in ["GET", "POST"] {
                let asked = self.add(method, path.to_owned());
                asked.headers.push(header(name, value));
            }
        }
        for body in bodies() {
            for kind in [
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
            ] {
                let asked = self.add("POST", path.to_owned());
                asked.body.clone_from(&body);
                asked.headers.push(header("content-type", kind));
            }
        }
    }
}

fn requests(server: &Server) -> Vec<Ask> {
    let mut requests = Requests {
        askers: askers(server),
        all: Vec::new(),
    };
    for path in PATHS.split_whitespace() {
        requests.add_path(path);
    }
    for path in "/ /login /logout /api/v1/ /api/v1/runs/1003/reconcile".split(' ') {
        requests.add_abuse(path);
    }
    requests.all
}

/// A console whose limits are not in the way of those who ask thousands of times.
async fn start() -> Server {
    Server::start_with(|config, limits| {
        config.console.requests_per_minute = 1_000_000;
        limits.logins_per_minute = 1_000_000;
    })
    .await
}

fn faults(answer: &Answer, session: &str) -> Vec<String> {
    let mut found = Vec::new();
    if answer.status >= 500 || answer.status == 429 || answer.status < 200 {
        found.push(format!("status {}", answer.status));
    }
    // What is no request never reaches the console.
    let was_no_request = answer.status == 400 && answer.body.is_empty() && answer.bytes < 200;
    if !was_no_request && !answer.has_security_headers() {
        found.push("no security headers".to_owned());
    }
    if answer.bytes > ANSWER_BYTES_MAX {
        found.push(format!("{} bytes", answer.bytes));
    }
    let texts = answer
        .headers
        .iter()
        .flat_map(|(name, value)| [name, value]);
    let texts: Vec<&String> = texts.chain([&answer.body]).collect();
    let markers = MARKERS.into_iter().chain(MARKERS_OF_OTHERS.split(' '));
    let held = markers
        .chain([session])
        .filter(|marker| texts.iter().any(|text| text.contains(marker)));
    found.extend(held.map(|marker| format!("holds {marker}")));
    if let Some(location) = answer.header("location") {
        let is_here = location.starts_with('/') && !location.starts_with("//");
        if !is_here || location.contains('\\') {
            found.push(format!("leads to {location}"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_hostile_requests_come_to_nothing() {
    let server = start().await;
    let requests = requests(&server);
    let cookie = &requests[3].headers[0].1;
    let session = cookie.split_once('=').unwrap().1.to_owned();
    assert!(requests.len() >= 2_000, "{}", requests.len());
    let mut statuses: BTreeMap<u16, u32> = BTreeMap::new();
    let mut found = Vec::new();
    for request in &requests {
        let Some(answer) = send_to(server.address, &request.bytes(server.address)) else {
            found.push(format!("{request:?}: no answer"));
            continue;
        };
        *statuses.entry(answer.status).or_default() += 1;
        for fault in faults(&answer, &session) {
            found.push(format!("{request:?}: {fault}"));
        }
        let names = |(name, _): &(String, _)| name == "authorization" || name == "cookie";
        let is_nobody = !request.headers.iter().any(names);
        let is_open = |open: &&str| request.target.starts_with(*open);
        let may_be_shown = ["/login", "/livez", "/readyz", "/assets/"]
            .iter()
            .any(is_open);
        if is_nobody && answer.status == 200 && !may_be_shown {
            found.push(format!("{request:?}: shown to nobody known"));
        }
    }
    found.truncate(20);
    assert!(found.is_empty(), "{statuses:?}\n{}", found.join("\n"));
    for status in [200, 303, 400, 401, 403, 404, 405, 413] {
        let is_there = statuses.contains_key(&status);
        assert!(is_there, "nothing came to {status}: {statuses:?}");
    }
    let queue = server.get("/api/v1/queue", CHIEF).json();
    let entries = queue["entries"].as_array().unwrap().iter();
    let waiting: BTreeSet<i64> = entries
        .filter(|entry| entry["state"] == "waiting")
        .filter_map(|entry| entry["run"].as_i64())
        .collect();
    // The member asked for its own open runs, and nobody for others.
    let own = BTreeSet::from([RUNNING, LINKED, DELETED].map(|kind| id(OWN, kind)));
    assert_eq!(waiting, own);
}

/// How long ago the last sweep was is another time a second later, and as long.
fn without_age(mut answer: Answer) -> Answer {
    if let Some((before, after)) = answer.body.split_once("last complete sweep ") {
        let after = after.split_once(" ago").map_or(after, |(_, after)| after);
        answer.body = format!("{before}{after}");
        answer.headers.retain(|(name, _)| name != "content-length");
        answer.bytes = 0;
    }
    answer
}

/// Nobody learns of something by asking for it: not by what is said, and not by what is left out.
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_elsewhere_is_like_what_does_not_exist() {
    let server = start().await;
    let absent = "7777";
    for asker in &askers(&server)[1..] {
        let ask = |method: &str, target: String| {
            let mut answer = server.ask(&Ask {
                method: method.to_owned(),
                target,
                ..asker.clone()
            });
            answer.headers.retain(|(name, _)| name != "date");
            without_age(answer)
        };
        for path in PATHS.split_whitespace().filter(|path| path.contains("{}")) {
            for method in ["GET", "HEAD", "POST", "DELETE"] {
                let expected = ask(method, path.replace("{}", absent));
                let is_refused = [404, 405].contains(&expected.status);
                assert!(is_refused, "{method} {path}: {expected:?}");
                for kind in KINDS {
                    let foreign = id(ELSEWHERE, kind).to_string();
                    let answer = ask(method, path.replace("{}", &foreign));
                    // The form holds what was typed.
                    let mut expected = expected.clone();
                    expected.body = expected.body.replace(absent, &foreign);
                    assert_eq!(answer, expected, "{method} {path} {foreign}");
                }
            }
        }
        for query in ["workspace=2", "environment=2", "workspace=2&environment=2"] {
            for list in ["/runs.csv", "/restores.csv"] {
                let table = |query: &str| ask("GET", format!("{list}?{query}")).body;
                assert_eq!(table(query), table(&query.replace('2', "9")), "{query}");
                assert_eq!(table(query).lines().count(), 1, "the heading");
            }
        }
        let deleted = ask("GET", format!("/restores/{}", id(OWN, DELETED)));
        assert_eq!(deleted.status, 404);
    }
}

/// What is counted over all pages is counted of the asker's workspaces alone.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_counted_among_others() {
    let server = start().await;
    let posture = |token: &str, query: &str| {
        let target = format!("/api/v1/posture{query}");
        let answer = server.get(&target, token).json();
        let each = |list: &Value, field: &str| {
            let list = list.as_array().unwrap().iter();
            let ids = list.filter_map(|it| it.pointer(field)?.as_i64());
            ids.collect::<Vec<i64>>()
        };
        let weakened = each(&answer["workspaces"], "/postures/weakened");
        let needs = &answer["needs_attention"];
        let causes = needs["causes"].as_array().unwrap();
        let places = causes
            .iter()
            .flat_map(|it| each(&it["listed"], "/workspace/id"));
        let mut whose: Vec<i64> = places.collect();
        let places: u64 = causes.iter().map(|it| it["places"].as_u64().unwrap()).sum();
        let unlisted = places - whose.len() as u64;
        whose.sort_unstable();
        whose.dedup();
        assert_eq!(answer["covered"]["is_all"], true, "{answer}");
        let covered = answer["covered"]["environments"].as_u64();
        (covered.unwrap(), weakened, whose, unlisted)
    };
    for token in [GUEST, MEMBER] {
        for query in ["", "?workspace=1", "?after=1.1"] {
            let shown = usize::from(query != "?after=1.1");
            let own = (1, vec![1; shown], vec![OWN], 0);
            assert_eq!(posture(token, query), own, "{query}");
        }
        let nothing = (0, vec![], vec![], 0);
        assert_eq!(posture(token, "?workspace=2"), nothing);
        assert_eq!(posture(token, "?workspace=9"), nothing);
    }
    let both = (2, vec![1, 1], vec![OWN, ELSEWHERE], 0);
    assert_eq!(posture(CHIEF, ""), both);
}

/// The one who may see everything shows that there was something to see.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_else_sees_is_there() {
    let server = start().await;
    for path in PATHS.split_whitespace() {
        let path = path.replace("{}", &id(ELSEWHERE, FAILED).to_string());
        let answer = server.get(&path, CHIEF);
        let expected = match path.as_str() {
            "/logout" => 405,
            path if ["/reconcile", "/retry", "/drop"]
                .iter()
                .any(|end| path.ends_with(end)) =>
            {
                405
            }
            "/api" => 404,
            path if path.starts_with("/reasons/") => 404,
            path if path.starts_with("/assets") || path.starts_with("/nothing") => 404,
            _ => 200,
        };
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
    }
    for path in "/ /runs /runs.csv /runs.json /restores /restores.csv /api/v1/runs /api/v1/restores /api/v1/posture".split(' ') {
        let answer = server.get(path, CHIEF);
        assert!(answer.body.contains(MARKER), "{path}: {answer:?}");
        let answer = server.get(path, MEMBER);
        assert!(answer.body.contains("own workspace"), "{path}: {answer:?}");
    }
}

/// What is hardly a request at all. `{host}` is the console's.
const RAW: &[&str] = &[
    "",
    "\r\n\r\n",
    "GET\r\n\r\n",
    "GET /\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET / HTTP/0.9\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost {host}\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: {host}\r\nhost: x\r\nconnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: {host}\r\n x: folded\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: {host}\r\nx\0: y\r\n\r\n",
    "GET / HTTP/1.1\nhost: {host}\nconnection: close\n\n",
    "GET http://evil.example/ HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
    "GET file:///etc/passwd HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
    "GET //evil.example/%2e%2e HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
    "GET /\\..\\..\\x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
    "GET * HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
    "CONNECT evil.example:443 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
    "POST /login HTTP/1.1\r\nhost: {host}\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\ntoken=x",
    "POST /login HTTP/1.1\r\nhost: {host}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    "POST /login HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "POST /login HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    "POST /login HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1;x=\"\r\na\r\n0\r\nhost: x\r\n\r\n",
    "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
];

/// Numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// A request with some of its bytes changed, doubled or cut out.
fn mangled(request: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = request.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len());
        match chance.below(3) {
            0 => bytes[at] = u8::try_from(chance.below(256)).unwrap(),
            1 => bytes.insert(at, b"\r\n\0 %:/\xff"[chance.below(8)]),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hardly_a_request_comes_to_nothing() {
    let server = start().await;
    let host = server.address.to_string();
    let filled = |text: &&str| text.replace("{host}", &host).into_bytes();
    let mut raw: Vec<Vec<u8>> = RAW.iter().map(filled).collect();
    let mut chance = Chance(0x5eed);
    for path in ["/", "/login?next=%2Fruns", "/api/v1/runs/1"] {
        let whole = Ask::get(path).bearer(GUEST).header("accept", "text/html");
        let whole = whole.bytes(server.address);
        raw.extend((0..100).map(|_| mangled(&whole, &mut chance)));
    }
    for bytes in raw {
        let mut stream = connect(server.address);
        std::io::Write::write_all(&mut stream, &bytes).ok();
        // Nothing more is said, so that nothing is waited for.
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut answer = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut answer).ok();
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        // A broken-off connection is an answer, too.
        if let Some(answer) = Answer::read(&answer) {
            let faults = faults(&answer, "no session");
            assert!(faults.is_empty(), "{shown:?}: {faults:?}\n{answer:?}");
        }
    }
    assert_eq!(server.get("/api/v1/", GUEST).status, 200);
}
