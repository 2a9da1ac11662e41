//! The console read from a hot standby, which knows less than its primary and says so, and goes on without it.

use restore_reconciler::internals::config::{All, Capability, Reach};
use tokio::task::block_in_place;

use super::program::{Serving, Settings};
use super::server::{Answer, Ask, CHIEF, entry};
use crate::support::case::Case;
use crate::support::cluster::{self, Cluster};
use crate::support::exposition::Exposition;
use crate::support::proxy::Proxy;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::{NO_SWEEPS, Scene};
use crate::support::time::eventually;

const ASK_FOR_RUN: &str = "/api/v1/runs/1/reconcile";

/// Who may see all and ask for all.
fn settings() -> Settings {
    let chief = entry(CHIEF, Reach::All(All::All), &Capability::ALL);
    let sha256 = chief.sha256;
    Settings::holding(&format!(
        "[console]\nlisten = \"127.0.0.1:0\"\n[[console.tokens]]\nname = \"chief\"\nsha256 = \"{sha256}\"\n\
         workspaces = \"all\"\ncapabilities = [\"runs.view\", \"runs.reconcile\", \"metrics.view\"]\n"
    ))
}

fn ask_for_run(serving: &Serving) -> Answer {
    serving.ask(&Ask::post(ASK_FOR_RUN).bearer(CHIEF))
}

fn tells_lag(answer: &Answer) -> bool {
    let mut names = answer.headers.iter().map(|(name, _)| name);
    names.any(|name| name == "restore-reconciler-standby-lag")
}

struct Shown {
    primary: Cluster,
    standby: Cluster,
    scene: Scene,
    _proxy: Proxy,
    serving: Serving,
}

impl Shown {
    async fn start() -> Self {
        let mut primary = cluster::private();
        primary.survive_kills().await;
        let standby = primary.standby().await;
        // The same database has the same name on both.
        let proxy = Proxy::before(standby.url());
        let scene = Scene::in_database(primary.database().await, NO_SWEEPS).await;
        scene.plant([Case::proven(1)]).await;
        let settings = settings();
        let on_standby = proxy.url(scene.url());
        let on_standby = format!("{on_standby}?target_session_attrs=standby");
        let serving = Serving::start_reading(scene.url(), &on_standby, &settings).await;
        Self {
            primary,
            standby,
            scene,
            _proxy: proxy,
            serving,
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.serving.ask(&Ask::get(path).bearer(CHIEF))
    }

    async fn until_shown(&self, path: &str, wanted: u16) {
        let is_shown = async || (self.get(path).status == wanted).then_some(());
        eventually(is_shown, async || format!("{:?}", self.get(path))).await;
    }

    async fn until_paused(&self) {
        let mut connection = connect(Purpose::Engineer, self.standby.url()).await;
        let is_paused = async || {
            let state = sqlx::query_scalar("SELECT pg_get_wal_replay_pause_state()");
            let state: String = state.fetch_one(&mut connection).await.unwrap();
            (state == "paused").then_some(())
        };
        eventually(is_paused, async || "it is not paused".to_owned()).await;
    }

    /// The moment of which an answer of the API is true.
    fn as_of(&self) -> String {
        let runs: serde_json::Value = serde_json::from_str(&self.get("/api/v1/runs").body).unwrap();
        runs["as_of"].as_str().expect("a moment").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_shown_as_it_stands_and_runs_are_asked_for_at_its_primary() {
    let mut shown = Shown::start().await;
    shown.until_shown("/runs/1", 200).await;
    let page = shown.get("/runs/1").body;
    assert!(
        page.contains("read from a standby that is about "),
        "{page}"
    );

    assert!(tells_lag(&shown.get("/api/v1/runs")));
    let exported = shown.get("/metrics");
    assert!(tells_lag(&exported), "{exported:?}");
    let behind = Exposition::parse(&exported.body).is_zero("reconciler_standby_lag_seconds");
    assert!(!behind, "{exported:?}");

    // What is not replayed is not known, and no later moment is claimed.
    shown.standby.execute("SELECT pg_wal_replay_pause()").await;
    shown.until_paused().await;
    let before = shown.as_of();
    shown.scene.plant([Case::proven(2)]).await;
    assert_eq!(shown.get("/runs/2").status, 404);
    assert_eq!(shown.as_of(), before);
    shown.standby.execute("SELECT pg_wal_replay_resume()").await;
    shown.until_shown("/runs/2", 200).await;
    assert!(shown.as_of() > before);

    let asked = ask_for_run(&shown.serving);
    assert_eq!(asked.status, 202, "{asked:?}");
    let jobs = "apalis.jobs WHERE job_type = 'restore.execute'";
    assert_eq!(shown.scene.number_of(jobs).await, 1);

    // Without its primary it is shown all the same.
    block_in_place(|| shown.primary.kill());
    assert_eq!(shown.get("/runs/1").status, 200);
    let asked = ask_for_run(&shown.serving);
    assert_eq!(asked.status, 503, "{asked:?}");
    block_in_place(|| shown.primary.start_again());
    shown.serving.stop().await;
}

/// A run of another database that has the same number is another run.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_of_another_database_than_the_one_that_is_read() {
    let read = Scene::new(NO_SWEEPS).await;
    let asked = Scene::new(NO_SWEEPS).await;
    for scene in [&read, &asked] {
        scene.plant([Case::proven(1)]).await;
    }
    let settings = settings();
    let serving = Serving::start_reading(asked.url(), read.url(), &settings).await;
    let page = serving.ask(&Ask::get("/runs/1").bearer(CHIEF));
    assert_eq!(page.status, 200, "{page:?}");
    assert!(!page.body.contains("standby"), "{page:?}");
    assert!(!tells_lag(&page));
    let refused = ask_for_run(&serving);
    assert_eq!(refused.status, 500, "{refused:?}");
    for scene in [&read, &asked] {
        assert_eq!(scene.number_of("apalis.jobs").await, 0);
    }
    let said = serving.stop().await;
    let why = "RECONCILER_READ_URL leads to another database than RECONCILER_DATABASE_URL";
    assert!(said.contains(why), "{said}");
}
