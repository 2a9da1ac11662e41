//! Connections that end: each has a lifetime and a limit of bytes, and the oldest that waits for nothing makes room.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use crate::clock::Stopwatch;

/// What clients may take of a server. The default is meant for probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// How many connections are open at most. One more ends the oldest on which no request is being answered,
    /// so that clients who say nothing cannot keep out one who does; where there is none, it ends itself.
    pub connections_max: usize,
    /// How long a connection lasts.
    pub lifetime: Duration,
    /// How many bytes a client may send.
    pub bytes_max: usize,
    /// How long answers that were begun may go on after the server was told to stop.
    pub shutdown_grace: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 64,
            lifetime: Duration::from_secs(5),
            bytes_max: 16 << 10,
            shutdown_grace: Duration::from_millis(500),
        }
    }
}

/// A connection, as the server sees it that accepted it.
struct OpenConnection {
    /// Cancelled when it has ended, or to end it.
    token: CancellationToken,
    activity: Arc<Activity>,
}

/// What happens on a connection.
#[derive(Debug, Default)]
struct Activity(AtomicU8);

impl Activity {
    /// No request has arrived to its end.
    const IDLE: u8 = 0;
    /// A request is being answered.
    const ANSWERING: u8 = 1;
    /// The answer is made, and not sent to its end.
    const SENDING: u8 = 2;

    fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::IDLE
    }

    fn set(&self, activity: u8) {
        self.0.store(activity, Ordering::Relaxed);
    }

    fn flushed(&self) {
        let (from, to) = (Self::SENDING, Self::IDLE);
        // While a request is being answered, a flush says nothing of its answer.
        self.0
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .ok();
    }
}

/// Accepts connections within [`ConnectionLimits`].
pub(super) struct Connections {
    listener: TcpListener,
    limits: ConnectionLimits,
    /// The oldest first.
    open: VecDeque<OpenConnection>,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, limits: ConnectionLimits) -> Self {
        Self {
            listener,
            limits,
            open: VecDeque::new(),
        }
    }

    /// Makes room by ending the oldest connection on which nothing is answered; none where there is no such one.
    fn admit(&mut self, stream: TcpStream) -> Option<ClientConnection> {
        self.open.retain(|open| !open.token.is_cancelled());
        while self.open.len() >= self.limits.connections_max {
            let oldest = self.open.iter().position(|open| open.activity.is_idle())?;
            self.open.remove(oldest)?.token.cancel();
        }
        let token = CancellationToken::new();
        let activity = Arc::<Activity>::default();
        self.open.push_back(OpenConnection {
            token: token.clone(),
            activity: Arc::clone(&activity),
        });
        Some(ClientConnection {
            stream,
            activity,
            limits: self.limits,
            bytes_left: self.limits.bytes_max,
            lifetime: Box::pin(sleep(self.limits.lifetime)),
            ended: Box::pin(token.clone().cancelled_owned()),
            _end: token.drop_guard(),
        })
    }
}

impl Listener for Connections {
    type Io = ClientConnection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (ClientConnection, SocketAddr) {
        loop {
            // Waits out a lack of descriptors; any other failure is one connection's.
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Some(connection) = self.admit(stream) {
                return (connection, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection, which fails once it is too old, too talkative, or in another's way.
pub(super) struct ClientConnection {
    stream: TcpStream,
    activity: Arc<Activity>,
    limits: ConnectionLimits,
    bytes_left: usize,
    lifetime: Pin<Box<Sleep>>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    _end: DropGuard,
}

impl ClientConnection {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let is_over = self.lifetime.as_mut().poll(context).is_ready()
            || self.ended.as_mut().poll(context).is_ready();
        if is_over {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for ClientConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into())),
        }
        read
    }
}

impl AsyncWrite for ClientConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.activity.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Requests after which a connection ends in an orderly way. What they may send together is well below
/// [`ConnectionLimits::bytes_max`].
const REQUESTS_MAX: u32 = 32;

/// Whoever is at the other end of a connection that may carry several requests.
#[derive(Debug, Clone)]
pub(in crate::console) struct Client {
    pub(in crate::console) address: SocketAddr,
    since: Stopwatch,
    lifetime: Duration,
    requests: Arc<AtomicU32>,
    activity: Arc<Activity>,
}

/// A request is being answered, until this is dropped and the answer is sent.
pub(in crate::console) struct Answering(Arc<Activity>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Activity::SENDING);
    }
}

impl Client {
    /// Keeps the connection from making room for another.
    pub(in crate::console) fn begin(&self) -> Answering {
        self.activity.set(Activity::ANSWERING);
        Answering(Arc::clone(&self.activity))
    }

    /// Counts one request, and says whether the connection had better end with it than break off a later one.
    pub(in crate::console) fn should_end(&self) -> bool {
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        before + 1 >= REQUESTS_MAX || self.since.elapsed() >= self.lifetime / 2
    }
}

impl Connected<IncomingStream<'_, Connections>> for Client {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        Self {
            address: *stream.remote_addr(),
            since: Stopwatch::start(),
            lifetime: stream.io().limits.lifetime,
            requests: Arc::default(),
            activity: Arc::clone(&stream.io().activity),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[tokio::test]
    async fn the_oldest_that_waits_for_nothing_makes_room() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = ConnectionLimits {
            connections_max: 2,
            ..ConnectionLimits::default()
        };
        let mut connections = Connections::new(listener, limits);
        let mut come = async || connections.admit(TcpStream::connect(address).await.unwrap());
        let is_open = |connection: &mut ClientConnection| {
            connection
                .check(&mut Context::from_waker(Waker::noop()))
                .is_ok()
        };
        let mut asking = come().await.unwrap();
        asking.activity.set(Activity::ANSWERING);
        let mut silent = come().await.unwrap();
        let mut next = come().await.unwrap();
        assert_eq!(
            [&mut asking, &mut silent, &mut next].map(is_open),
            [true, false, true]
        );
        next.activity.set(Activity::ANSWERING);
        assert!(come().await.is_none(), "both are being answered");
        next.activity.set(Activity::SENDING);
        assert!(come().await.is_none(), "an answer is being sent");
        next.activity.flushed();
        asking.activity.flushed();
        let mut last = come().await.unwrap();
        assert_eq!(
            [&mut asking, &mut next, &mut last].map(is_open),
            [true, false, true]
        );
    }
}
