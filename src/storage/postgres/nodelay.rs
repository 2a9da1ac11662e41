//! Has what is written to the server sent at once.
//!
//! The driver leaves Nagle's algorithm on (sqlx 0.9.0, by mistake: its issue 4335, mended in whatever comes after it). What takes
//! more than one write, as all does that is longer than a record of TLS, then waits until the server acknowledges the first, which
//! it does 40 ms later: a page of 500 runs waited five times. The driver shows its socket to nobody, so each connection
//! of this process is told. To be removed with the next release of sqlx, if the test of a long statement over TLS still passes.

#[cfg(target_os = "linux")]
use rustix::fd::BorrowedFd;

/// Has each TCP connection of this process send at once what is written to it.
#[cfg(target_os = "linux")]
pub(super) fn send_at_once() {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.for_each(tell);
}

/// Elsewhere nobody says which connections there are, and they wait.
#[cfg(not(target_os = "linux"))]
pub(super) fn send_at_once() {}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the driver gives nobody its socket, so that all there is of it is a number"
)]
fn tell(descriptor: i32) {
    // SAFETY: the number is a file's that was open, and is used for one call of the system. Where it was closed meanwhile, the call
    // is refused, and where it is another's by then, at worst that one sends at once, too: nothing is read, written or closed.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // Refused for whatever is no TCP connection.
    let _ = rustix::net::sockopt::set_tcp_nodelay(descriptor, true);
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn connections_that_are_there_send_at_once() {
        use std::net::{TcpListener, TcpStream};

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!stream.nodelay().unwrap(), "it waits unless it is told");
        super::send_at_once();
        assert!(stream.nodelay().unwrap());
    }
}
