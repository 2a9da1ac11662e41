//! A TCP proxy before a database that can be told to fail, as networks do.
//!
//! Each fault stands for one that a program sees differently: a reset connection ends at once, a refused one
//! says so, and a stalled one says nothing at all.
//!
//! # Design notes
//! While connections are refused nobody listens, so that a client sees what it sees of a server that is down.
//! A second socket, bound to the same port and never listening, keeps the port from being given away.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::interval;

use super::time::POLL;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;

/// Lives as long as this value; open connections are reset with it.
pub(crate) struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    /// The socket file of the server that new connections lead to.
    upstream: watch::Sender<PathBuf>,
    connections: Arc<AtomicUsize>,
    listening: AbortHandle,
}

/// What the proxy was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Orders {
    refuses: bool,
    stalls: bool,
    /// Raised by each reset: connections that began under a lower number end.
    resets: u64,
}

impl Proxy {
    /// Before a server's socket file, on the runtime of the caller.
    fn start(upstream: PathBuf, at: IpAddr) -> Self {
        let keeper = bound(SocketAddr::from((at, 0))).expect("a free port");
        let address = keeper.local_addr().expect("a bound socket");
        let (orders, told) = watch::channel(Orders::default());
        let (upstream, way) = watch::channel(upstream);
        let connections = Arc::new(AtomicUsize::new(0));
        let listener = listen(address).expect("nobody else has the port");
        let work = serve(listener, keeper, way, told, Arc::clone(&connections));
        let listening = tokio::spawn(work).abort_handle();
        Self {
            address,
            orders,
            upstream,
            connections,
            listening,
        }
    }

    /// Before the database that `url` names, which listens on a socket file as those of `tests/postgres` do.
    pub(crate) fn before(url: &str) -> Self {
        Self::start(socket_of(url), Ipv4Addr::LOCALHOST.into())
    }

    /// The same at an address of the other kind.
    pub(crate) fn before_at_ipv6(url: &str) -> Self {
        Self::start(socket_of(url), Ipv6Addr::LOCALHOST.into())
    }

    /// Moves the address to the server that `url` names. What was connected to the other one is reset.
    pub(crate) fn lead_to(&self, url: &str) {
        self.upstream.send_replace(socket_of(url));
        self.reset_connections();
    }

    /// `url`, of a database behind this proxy, with the way through it.
    pub(crate) fn url(&self, url: &str) -> String {
        let options: PgConnectOptions = url.parse().expect("a PostgreSQL URL");
        format!(
            "postgres://{}@{}/{}",
            options.get_username(),
            self.address,
            options.get_database().expect("a database")
        )
    }

    /// How many connections are being forwarded.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Ends every connection with a reset, on both sides. New ones are served.
    pub(crate) fn reset_connections(&self) {
        self.orders.send_modify(|orders| orders.resets += 1);
    }

    /// Refuses new connections until healed. Open ones go on.
    pub(crate) fn refuse(&self) {
        self.orders.send_modify(|orders| orders.refuses = true);
    }

    /// Forwards nothing more until healed, and closes nothing.
    pub(crate) fn stall(&self) {
        self.orders.send_modify(|orders| orders.stalls = true);
    }

    /// Ends refusal and stall. What was held back is forwarded.
    pub(crate) fn heal(&self) {
        self.orders.send_modify(|orders| {
            orders.refuses = false;
            orders.stalls = false;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort(); // and with it the set of its connections
    }
}

/// The socket file of the server that `url` names.
fn socket_of(url: &str) -> PathBuf {
    let options: PgConnectOptions = url.parse().expect("a PostgreSQL URL");
    let directory = options.get_socket().expect("a directory of sockets");
    directory.join(format!(".s.PGSQL.{}", options.get_port()))
}

/// A socket that shares its address with others that do.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(BACKLOG)
}

/// Listens where it did before. A process that is just being started holds a copy of every socket until its program
/// begins, the one that was closed included.
async fn listen_again(address: SocketAddr) -> TcpListener {
    let mut poll = interval(POLL);
    loop {
        poll.tick().await;
        match listen(address) {
            Ok(listener) => return listener,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}"),
        }
    }
}

/// Waits for orders like this, for ever once nobody can give any.
async fn until(told: &mut watch::Receiver<Orders>, wanted: impl FnMut(&Orders) -> bool) {
    if told.wait_for(wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Accepts until aborted. `_keeper` holds the port while nobody listens.
async fn serve(
    mut listener: TcpListener,
    _keeper: TcpSocket,
    upstream: watch::Receiver<PathBuf>,
    told: watch::Receiver<Orders>,
    connections: Arc<AtomicUsize>,
) {
    let address = listener.local_addr().expect("a bound socket");
    let mut open = JoinSet::new();
    let mut refusal = told.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.expect("a connection");
                let counted = Counted::new(&connections);
                let (upstream, told) = (upstream.borrow().clone(), told.clone());
                open.spawn(async move {
                    let _counted = counted;
                    forward(client, upstream, told).await;
                });
            }
            () = until(&mut refusal, |orders| orders.refuses) => {
                drop(listener);
                until(&mut refusal, |orders| !orders.refuses).await;
                listener = listen_again(address).await;
            }
            Some(_) = open.join_next() => {}
        }
    }
}

/// Counts one connection for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(connections: &Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(connections))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Carries bytes both ways until either side closes or the connection is to be reset.
async fn forward(mut client: TcpStream, upstream: PathBuf, told: watch::Receiver<Orders>) {
    let began_under = told.borrow().resets;
    // Unless both directions end in peace, closing means a reset. Halves that own their socket would end it
    // in peace on their way out, so they are borrowed.
    drop(client.set_zero_linger());
    let Ok(mut server) = UnixStream::connect(upstream).await else {
        return;
    };
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let up = pump(from_client, to_server, told.clone());
    let down = pump(from_server, to_client, told.clone());
    let mut reset = told;
    tokio::select! {
        _ = async { tokio::try_join!(up, down) } => {}
        () = until(&mut reset, |orders| orders.resets != began_under) => {}
    }
}

/// Carries bytes one way, and the end of them.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut told: watch::Receiver<Orders>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        until(&mut told, |orders| !orders.stalls).await;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

mod tests {
    use std::time::Duration;

    use sqlx::{Connection as _, PgConnection};
    use tempfile::TempDir;
    use tokio::net::UnixListener;

    use super::*;
    use crate::support::cluster;
    use crate::support::roles::Purpose;
    use crate::support::time::{eventually, in_time};

    /// A server that says everything back, and a proxy before it.
    fn echo() -> (Proxy, TempDir) {
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("socket");
        let server = UnixListener::bind(&file).expect("nobody else listens there");
        tokio::spawn(async move {
            loop {
                let (mut client, _) = server.accept().await.expect("a connection");
                tokio::spawn(async move {
                    let (mut reads, mut writes) = client.split();
                    drop(tokio::io::copy(&mut reads, &mut writes).await);
                });
            }
        });
        (Proxy::start(file, Ipv4Addr::LOCALHOST.into()), directory)
    }

    async fn connected(proxy: &Proxy) -> TcpStream {
        let client = TcpStream::connect(proxy.address).await;
        let mut client = client.expect("the proxy accepts");
        assert_eq!(said_back(&mut client, b"hello").await.unwrap(), b"hello");
        client
    }

    /// Whether the system refuses connections: as for the proxy to be told so, it takes a moment.
    async fn until_refused(proxy: &Proxy, wanted: bool) {
        let look = async || {
            let connected = TcpStream::connect(proxy.address).await;
            let refused = connected.is_err_and(|it| it.kind() == io::ErrorKind::ConnectionRefused);
            (refused == wanted).then_some(())
        };
        eventually(look, async || format!("refused is not {wanted}")).await;
    }

    async fn said_back(client: &mut TcpStream, words: &[u8]) -> io::Result<Vec<u8>> {
        client.write_all(words).await?;
        let mut answer = vec![0; words.len()];
        in_time("an echo", client.read_exact(&mut answer)).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_reset_ends_every_connection_abruptly_and_lets_new_ones_in() {
        let (proxy, _directory) = echo();
        let mut clients = [connected(&proxy).await, connected(&proxy).await];
        assert_eq!(proxy.connections(), 2);
        proxy.reset_connections();
        for client in &mut clients {
            let end = in_time("the end", client.read(&mut [0])).await;
            let error = end.expect_err("an orderly end is no reset");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        connected(&proxy).await;
    }

    #[tokio::test]
    async fn a_refusal_is_the_system_s_and_open_connections_go_on() {
        let (proxy, _directory) = echo();
        let mut open = connected(&proxy).await;
        for _ in 0..3 {
            proxy.refuse();
            until_refused(&proxy, true).await;
            assert_eq!(said_back(&mut open, b"on").await.unwrap(), b"on");
            proxy.heal();
            until_refused(&proxy, false).await;
        }
        connected(&proxy).await;
    }

    #[tokio::test]
    async fn a_stall_holds_bytes_back_and_closes_nothing() {
        let (proxy, _directory) = echo();
        let mut open = connected(&proxy).await;
        proxy.stall();
        let written = open.write_all(b"late").await;
        written.expect("the proxy still reads");
        let mut answer = [0; 4];
        let waited = Duration::from_millis(200);
        let early = tokio::time::timeout(waited, open.read_exact(&mut answer)).await;
        assert!(early.is_err(), "{early:?}");
        let new = TcpStream::connect(proxy.address).await;
        let mut new = new.expect("the system accepts");
        new.write_all(b"also").await.expect("room in a buffer");

        proxy.heal();
        for (client, said) in [(&mut open, b"late"), (&mut new, b"also")] {
            let echo = in_time("what was held back", client.read_exact(&mut answer));
            echo.await.expect("an echo");
            assert_eq!(&answer, said);
        }
    }

    #[tokio::test]
    async fn an_orderly_end_is_passed_on() {
        let (proxy, _directory) = echo();
        let mut client = connected(&proxy).await;
        client.shutdown().await.expect("half of it closes");
        let mut rest = Vec::new();
        let end = in_time("the end", client.read_to_end(&mut rest)).await;
        assert_eq!((end.expect("no reset"), rest), (0, Vec::new()));
        let has_ended = async || (proxy.connections() == 0).then_some(());
        eventually(has_ended, async || "it stays open".to_owned()).await;
    }

    #[tokio::test]
    async fn a_session_of_postgresql_passes_through_and_ends_with_a_reset() {
        let database = cluster::database().await;
        let proxy = Proxy::before(&database.url());
        let session =
            PgConnection::connect(&Purpose::Engineer.url(&proxy.url(&database.url()))).await;
        let mut session = session.expect("the server is behind the proxy");
        let name = sqlx::query_scalar("SELECT current_database()::text");
        let name: String = name.fetch_one(&mut session).await.expect("an answer");
        assert_eq!(name, database.name());
        proxy.reset_connections();
        let ended = in_time("an error", session.ping()).await;
        assert!(ended.is_err());
    }
}
