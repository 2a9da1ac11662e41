//! A collector: takes what is posted, and says what spans there were.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::protobuf::Message;

#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) fields: BTreeMap<String, String>,
    /// The fields of the lines within it.
    pub(crate) events: Vec<BTreeMap<String, String>>,
    /// 5 for a consumer's, 1 for one within a program.
    pub(crate) kind: Option<u64>,
    /// What is said of the program that it is from.
    pub(crate) resource: BTreeMap<String, String>,
    /// The spans it follows from.
    pub(crate) links: Vec<String>,
}

/// What was posted to it.
#[derive(Clone, Default)]
pub(crate) struct Collector(Arc<Mutex<Vec<Posted>>>);

/// One request.
struct Posted {
    head: String,
    body: Vec<u8>,
}

impl Collector {
    /// Listens on a port of its own, and returns its address too.
    pub(crate) async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its number"));
        let collector = Self::default();
        let own = collector.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                own.take(client).await.expect("a request");
            }
        });
        (collector, address)
    }

    async fn take(&self, client: TcpStream) -> std::io::Result<()> {
        let mut client = BufReader::new(client);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            client.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        client.read_exact(&mut body).await?;
        self.0.lock().unwrap().push(Posted { head, body });
        client
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await
    }

    /// The heads of all requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        let posted = self.0.lock().unwrap();
        posted.iter().map(|posted| posted.head.clone()).collect()
    }

    /// The bytes of all requests.
    pub(crate) fn bodies(&self) -> Vec<u8> {
        let posted = self.0.lock().unwrap();
        posted.iter().flat_map(|it| it.body.clone()).collect()
    }

    /// Every span, in the order in which they ended.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let posted = self.0.lock().unwrap();
        let mut spans = Vec::new();
        for posted in posted.iter() {
            for resource in Message::read(&posted.body).messages(1) {
                let program = resource.messages(1).next();
                let program = program.map_or_else(BTreeMap::new, |program| fields(&program, 1));
                for scope in resource.messages(2) {
                    spans.extend(scope.messages(2).map(|span| span_of(&span, &program)));
                }
            }
        }
        spans
    }
}

fn span_of(span: &Message<'_>, program: &BTreeMap<String, String>) -> Span {
    Span {
        trace: hex(span.bytes(1)),
        id: hex(span.bytes(2)),
        parent: hex(span.bytes(4)),
        name: span.text(5),
        kind: span.number(6),
        resource: program.clone(),
        fields: fields(span, 9),
        events: span.messages(11).map(|event| fields(&event, 3)).collect(),
        links: span.messages(13).map(|link| hex(link.bytes(2))).collect(),
    }
}

fn fields(of: &Message<'_>, number: u64) -> BTreeMap<String, String> {
    let value = |field: &Message<'_>| {
        let value = field.messages(2).next().expect("a value");
        match value.number(3) {
            Some(integer) => integer.to_string(),
            None => value.text(1),
        }
    };
    let fields = of.messages(number);
    fields.map(|field| (field.text(1), value(&field))).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap();
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    bytes.iter().flat_map(digits).collect()
}
