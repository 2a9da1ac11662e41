//! `probe URL`: whether a process of this program is well, by its own answer.

use anyhow::Context as _;
use hyper::body::Bytes;
use hyper::{Request, Uri};
use jiff::SignedDuration;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Document, Probed};
use super::screen::Screen;
use super::since::age;
use crate::http::exchange;

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The address of a probe: where a worker or a console listens, with `/livez` or `/readyz`.
    #[arg(value_name = "URL", value_hint = clap::ValueHint::Url)]
    url: String,
    /// How long the answer may take.
    #[arg(long, value_name = "AGE", default_value = "3s", value_parser = age)]
    timeout: SignedDuration,
}

/// Asks once. Succeeds where the answer is 2xx, and otherwise ends with 1, as health checks of containers want it.
pub(super) fn run(screen: &mut Screen, args: &Args) -> anyhow::Result<Exit> {
    let has_user = args
        .url
        .parse::<url::Url>()
        .is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
    if has_user {
        return Err(Failure::new(
            "the address of a probe holds no user and no password",
            "Leave them out: probes are answered to everybody who can reach them.",
        )
        .into());
    }
    let is_address = |uri: Uri| uri.scheme_str() == Some("http") && uri.authority().is_some();
    if !args.url.parse().is_ok_and(is_address) {
        return Err(Failure::new(
            "the address of a probe must begin with http:// and name a host",
            "Write it as http://127.0.0.1:9646/livez is written; there is no TLS.",
        )
        .into());
    }
    let advice = || {
        Failure::new(
            format!("no answer from {}", args.url),
            "Check that the process runs, and where it listens.",
        )
    };
    let request = Request::get(&args.url)
        .body(Bytes::new())
        .with_context(advice)?;
    let within = std::time::Duration::try_from(args.timeout).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = runtime
        .context("cannot start the runtime")?
        .block_on(async {
            match tokio::time::timeout(within, exchange(request)).await {
                Ok(answer) => answer.map_err(|error| anyhow::anyhow!(error)),
                Err(_) => Err(anyhow::anyhow!("it took longer than {:#}", args.timeout)),
            }
        });
    let answer = answer.with_context(advice)?;
    let is_well = answer.status().is_success();
    let probed = Probed {
        url: args.url.clone(),
        status: answer.status().as_u16(),
        said: String::from_utf8_lossy(answer.body()).trim_end().to_owned(),
    };
    if screen.output.is_json() {
        screen.json(&Document::Probe(probed))?;
    } else {
        screen.line(&format!("{} {}", probed.status, probed.said))?;
    }
    Ok(if is_well {
        Exit::Done
    } else {
        Exit::CouldNotRun
    })
}
