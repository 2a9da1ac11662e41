//! Connections that end: each has a lifetime and a limit of bytes, and the oldest makes room.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
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

/// Accepts connections within [`Bounds`].
pub(super) struct Connections {
    listener: TcpListener,
    bounds: Bounds,
    /// A token per connection, the oldest first; cancelled when it has ended, or to end it.
    open: VecDeque<CancellationToken>,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, bounds: Bounds) -> Self {
        Self {
            listener,
            bounds,
            open: VecDeque::new(),
        }
    }

    fn admit(&mut self, stream: TcpStream) -> Connection {
        self.open.retain(|connection| !connection.is_cancelled());
        while self.open.len() >= self.bounds.connections_max {
            let Some(oldest) = self.open.pop_front() else {
                break;
            };
            oldest.cancel();
        }
        let token = CancellationToken::new();
        self.open.push_back(token.clone());
        Connection {
            stream,
            bounds: self.bounds,
            bytes_left: self.bounds.bytes_max,
            lifetime: Box::pin(sleep(self.bounds.lifetime)),
            ended: Box::pin(token.clone().cancelled_owned()),
            _end: token.drop_guard(),
        }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Waits out a lack of descriptors; any other failure is one connection's.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (self.admit(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection, which fails once it is too old, too talkative, or in another's way.
pub(super) struct Connection {
    stream: TcpStream,
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
        Pin::new(&mut self.stream).poll_flush(context)
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
}

impl Client {
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
        }
    }
}
