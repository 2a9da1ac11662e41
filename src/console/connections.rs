//! Connections that end: each has a lifetime and a limit of bytes, and the oldest makes room.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::Bounds;

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
