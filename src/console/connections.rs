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

use super::Bounds;
use crate::clock::Stopwatch;

/// A connection as others see it.
struct Open {
    /// Cancelled when it has ended, or to end it.
    token: CancellationToken,
    turn: Arc<Turn>,
}

/// Whose turn it is on a connection.
#[derive(Debug, Default)]
struct Turn(AtomicU8);

impl Turn {
    /// The client's: nothing is asked, or not to the end.
    const CLIENT: u8 = 0;
    /// Ours: a request is being answered.
    const OURS: u8 = 1;
    /// The answer is made, and not sent to its end.
    const SENDING: u8 = 2;

    fn is_clients(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::CLIENT
    }

    fn set(&self, turn: u8) {
        self.0.store(turn, Ordering::Relaxed);
    }

    fn is_sent(&self) {
        let (from, to) = (Self::SENDING, Self::CLIENT);
        // Whatever else it was, it stays.
        self.0
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .ok();
    }
}

/// Accepts connections within [`Bounds`].
pub(super) struct Connections {
    listener: TcpListener,
    bounds: Bounds,
    /// The oldest first.
    open: VecDeque<Open>,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, bounds: Bounds) -> Self {
        Self {
            listener,
            bounds,
            open: VecDeque::new(),
        }
    }

    /// Makes room by ending the oldest connection on which nothing is answered; none where there is no such one.
    fn admit(&mut self, stream: TcpStream) -> Option<Connection> {
        self.open.retain(|open| !open.token.is_cancelled());
        while self.open.len() >= self.bounds.connections_max {
            let oldest = self.open.iter().position(|open| open.turn.is_clients())?;
            self.open.remove(oldest)?.token.cancel();
        }
        let token = CancellationToken::new();
        let turn = Arc::<Turn>::default();
        self.open.push_back(Open {
            token: token.clone(),
            turn: Arc::clone(&turn),
        });
        Some(Connection {
            stream,
            turn,
            bounds: self.bounds,
            bytes_left: self.bounds.bytes_max,
            lifetime: Box::pin(sleep(self.bounds.lifetime)),
            ended: Box::pin(token.clone().cancelled_owned()),
            _end: token.drop_guard(),
        })
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
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
pub(super) struct Connection {
    stream: TcpStream,
    turn: Arc<Turn>,
    bounds: Bounds,
    bytes_left: usize,
    lifetime: Pin<Box<Sleep>>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    _end: DropGuard,
}

impl Connection {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let is_over = self.lifetime.as_mut().poll(context).is_ready()
            || self.ended.as_mut().poll(context).is_ready();
        if is_over {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
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

impl AsyncWrite for Connection {
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
            self.turn.is_sent();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Requests after which a connection ends in an orderly way. What they may send together is well below
/// [`Bounds::bytes_max`].
const REQUESTS_MAX: u32 = 32;

/// Whoever is at the other end of a connection that may carry several requests.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    since: Stopwatch,
    lifetime: Duration,
    requests: Arc<AtomicU32>,
    turn: Arc<Turn>,
}

/// A request is being answered, until this is dropped and the answer is sent.
pub(super) struct Answering(Arc<Turn>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Turn::SENDING);
    }
}

impl Client {
    /// Keeps the connection from making room for another.
    pub(super) fn begin(&self) -> Answering {
        self.turn.set(Turn::OURS);
        Answering(Arc::clone(&self.turn))
    }

    /// Counts one request, and says whether the connection had better end with it than break off a later one.
    pub(super) fn should_end(&self) -> bool {
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        before + 1 >= REQUESTS_MAX || self.since.elapsed() >= self.lifetime / 2
    }
}

impl Connected<IncomingStream<'_, Connections>> for Client {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        Self {
            address: *stream.remote_addr(),
            since: Stopwatch::start(),
            lifetime: stream.io().bounds.lifetime,
            requests: Arc::default(),
            turn: Arc::clone(&stream.io().turn),
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
        let bounds = Bounds {
            connections_max: 2,
            ..Bounds::default()
        };
        let mut connections = Connections::new(listener, bounds);
        let mut come = async || connections.admit(TcpStream::connect(address).await.unwrap());
        let is_open = |connection: &mut Connection| {
            connection
                .check(&mut Context::from_waker(Waker::noop()))
                .is_ok()
        };
        let mut asking = come().await.unwrap();
        asking.turn.set(Turn::OURS);
        let mut silent = come().await.unwrap();
        let mut next = come().await.unwrap();
        assert_eq!(
            [&mut asking, &mut silent, &mut next].map(is_open),
            [true, false, true]
        );
        next.turn.set(Turn::OURS);
        assert!(come().await.is_none(), "both are being answered");
        next.turn.set(Turn::SENDING);
        assert!(come().await.is_none(), "an answer is being sent");
        next.turn.is_sent();
        asking.turn.is_sent();
        let mut last = come().await.unwrap();
        assert_eq!(
            [&mut asking, &mut next, &mut last].map(is_open),
            [true, false, true]
        );
    }
}
