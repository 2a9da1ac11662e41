//! One request, and its answer: what is asked of a collector of traces, and of another process of this program.
//!
//! There is no TLS: both are on this host or in its network.

use std::io;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no answer.
pub(crate) type HttpError = Box<dyn std::error::Error + Send + Sync>;

/// Sends the request over a connection of its own, and reads the answer to its end. Waits for as long as that takes.
pub(crate) async fn exchange(mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let uri = request.uri();
    if uri.scheme_str() != Some("http") {
        return Err("the address must begin with http://; there is no TLS".into());
    }
    let authority = uri.authority().ok_or("the address names no host")?;
    let host = authority.host().trim_matches(['[', ']']);
    let port = authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host, port)).await;
    let stream =
        stream.map_err(|error| io::Error::new(error.kind(), format!("cannot connect: {error}")))?;
    let host = HeaderValue::from_str(authority.as_str())?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(path)?;
    request.headers_mut().insert(HOST, host);

    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request.map(Full::new)).await?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
