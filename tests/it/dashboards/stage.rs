//! A worker and a console on one database, as Prometheus finds them.

use restore_reconciler::internals::cli::output::{Document, TokenMade};

use crate::console::{Ask, Serving, Settings};
use crate::support::scene::{Scene, dismiss};
use crate::support::time::eventually;
use crate::support::worker::{Worker, said_by};

/// How the example configuration says that the token of Prometheus is made.
pub(super) const TOKEN_MADE_BY: &str =
    "token --all-workspaces --can metrics.view --can evidence.view prometheus";

/// What a worker exports once it has read the feed, after everything else.
const LATEST: &str = "\nreconciler_feed_lag_seconds{";

pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) worker: Worker,
    pub(super) console: Serving,
    pub(super) token: String,
    _settings: Settings,
}

impl Stage {
    /// With this configuration for the worker; the console exports all that it can.
    pub(super) async fn set(config: &str) -> Self {
        let scene = Scene::new(config).await;
        // A consumer has a series once it is known.
        scene
            .execute("SELECT reconciler.ack_verdicts('laravel', 0)")
            .await;
        let worker = scene.worker().await;
        let TokenMade { token, entry } = made_token(scene.url()).await;
        let settings = Settings::holding(&format!(
            "[metrics]\nby_workspace = true\n\n[console]\nlisten = \"127.0.0.1:0\"\n\n\
             [[console.tokens]]\nname = \"prometheus\"\nsha256 = \"{}\"\nworkspaces = \"all\"\n\
             capabilities = [\"evidence.view\", \"metrics.view\"]\n",
            entry.sha256
        ));
        let console = Serving::start(scene.url(), &settings).await;
        Self {
            scene,
            worker,
            console,
            token,
            _settings: settings,
        }
    }

    /// Of a worker that has looked at all that it tells of, and a console that has found its database.
    pub(super) async fn exported(&self) -> [String; 2] {
        let asked = async || {
            let (status, worker) = self.worker.probe("/metrics").await;
            let console = self.console.ask(&Ask::get("/metrics").bearer(&self.token));
            let is_whole = worker.contains(LATEST) && (status, console.status) == (200, 200);
            is_whole.then_some([worker, console.body])
        };
        eventually(asked, async || self.worker.said()).await
    }

    pub(super) async fn clear(self) {
        dismiss(self.worker).await;
        self.console.stop().await;
    }
}

async fn made_token(url: &str) -> TokenMade {
    let words = TOKEN_MADE_BY.split(' ').chain(["--output", "json"]);
    let arguments: Vec<&str> = words.collect();
    let (code, said) = said_by(url, &arguments).await;
    assert_eq!(code, Some(0), "{said}");
    match serde_json::from_str(&said) {
        Ok(Document::Token(made)) => made,
        other => panic!("{other:?}: {said}"),
    }
}
