//! The pages: each renders one answer.
//!
//! **Invariant:** a page says nothing that its answer does not; what is written in a template are headings, and
//! words that are true of every run.

mod chart;
mod download;
mod form;
pub(super) mod routes;
mod spans;
mod words;

use std::any::Any;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use jiff::tz::TimeZone;
use reconciler_jobs::reading::Availability;
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::backup_health::BACKUP_CLAIM_BOUNDARY;
use reconciler_jobs::reading::now::Change;
use reconciler_jobs::restore_execute::counterfactual::Question;
use reconciler_jobs::restore_execute::reason::{CLAIM_BOUNDARY, Chapter};
use reconciler_jobs::restore_execute::review::Standing;
use reconciler_jobs::restore_execute::{Outcome, RULESET, ReasonCode};

use super::access::Viewer;
use super::load::{AppState, Hit};
use super::problem::Problem;
use super::query::{EnvironmentQuery, RestoreQuery};
use crate::clock;
use crate::config::{Capability, Linked};
use crate::postures::Coverage;
use crate::views::Moment;
use crate::views::explain::Explanation;
use crate::views::overview::Overview;
use crate::views::queue::{QueueView, SweepsShown};
use crate::views::restore::Preparation;
use crate::views::restores::RestoreList;
use crate::views::run::RunDetail;
use crate::views::runs::RunList;
use crate::views::status::ServiceStatus;
pub use form::Form;

/// After how many seconds a page looks again whose answer changes by itself.
const REFRESH_SECONDS: u32 = 30;

/// After how many seconds a page looks again on which somebody just asked for something.
const REFRESH_SOON_SECONDS: u32 = 5;

/// What every page is framed by.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each shows a part of the page, or leaves it out"
)]
pub struct Shell {
    /// The page's title.
    pub title: String,
    /// The place in the menu that it belongs to.
    pub current: Option<Menu>,
    /// Whether somebody is let in.
    pub is_in: bool,
    /// Who looks.
    pub viewer: String,
    /// Whether there is a session to end.
    pub can_log_out: bool,
    /// Whether the viewer may see pages, so that the menu is shown.
    pub can_view: bool,
    /// Whether the viewer may ask for runs.
    pub can_reconcile: bool,
    /// Whether runs in trouble may be changed.
    pub can_manage: bool,
    /// Whether the viewer may see evidence.
    pub can_see_evidence: bool,
    /// Goes with every form.
    pub csrf: String,
    /// The database's clock when the page's answer was read.
    pub as_of: Option<Moment>,
    /// Whether the product works; none where that is not shown.
    pub status: Option<Arc<ServiceStatus>>,
    /// About how far behind the standby is that it was read from.
    pub behind: Option<String>,
    /// Stands on every page.
    pub claim_boundary: &'static str,
    /// Where the page is, for whoever reads it on paper.
    pub address: String,
    /// Whether the page looks again by itself.
    pub refresh: Refresh,
    /// What became of what the viewer just did.
    pub notice: Option<String>,
    /// The zone in which moments are shown.
    pub zone: TimeZone,
}

/// Whether a page looks again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// What it shows stays, or somebody chose a part of it.
    Never,
    /// After so many seconds.
    Every(u32),
    /// It would, and somebody stopped it.
    Stopped,
}

impl askama::Values for Shell {
    fn get_value(&self, key: &str) -> Option<&dyn Any> {
        (key == filters::ZONE).then_some(&self.zone)
    }
}

#[expect(
    clippy::inline_always,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "the macro makes a method of each filter, and wants a result"
)]
mod filters {
    //! What templates do with values.

    use jiff::tz::TimeZone;

    use crate::views::Moment;

    /// By which name templates reach the zone.
    pub(super) const ZONE: &str = "zone";

    /// A moment in the zone of the page.
    #[askama::filter_fn]
    pub(super) fn zoned(at: &Moment, values: &dyn askama::Values) -> askama::Result<String> {
        let zone = askama::get_value::<TimeZone>(values, ZONE);
        Ok(at.in_zone(zone.unwrap_or(&TimeZone::UTC)))
    }
}

/// A page, in its frame.
pub(super) trait Page: Template {
    /// What it is framed by.
    fn shell(&self) -> &Shell;
}

/// The places of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// The overview of environments.
    Overview,
    /// The list of runs, and single ones.
    Runs,
    /// The list of restores, and single ones.
    Restores,
    /// The queue and the sweeps.
    Queue,
    /// What reason codes mean.
    Reasons,
}

/// A place of the menu on a page.
struct MenuLink {
    href: &'static str,
    label: &'static str,
    is_current: bool,
}

impl Shell {
    /// Around a page of what was read at `as_of`.
    fn new(
        viewer: &Viewer,
        title: impl Into<String>,
        current: Option<Menu>,
        as_of: Moment,
    ) -> Self {
        Self {
            current,
            as_of: Some(as_of),
            ..Self::around(title, Some(viewer))
        }
    }

    /// Around a page of nothing that was read, perhaps for nobody in particular.
    fn around(title: impl Into<String>, viewer: Option<&Viewer>) -> Self {
        let may = |what| viewer.is_some_and(|viewer| viewer.can.contains(&what));
        let form_token = viewer.and_then(|viewer| viewer.form_token.as_ref());
        Self {
            title: title.into(),
            current: None,
            is_in: viewer.is_some(),
            viewer: viewer.map_or_else(String::new, |viewer| viewer.name.to_string()),
            can_log_out: viewer.is_some_and(Viewer::may_log_out),
            can_view: may(Capability::RunsView),
            can_reconcile: may(Capability::RunsReconcile),
            can_manage: may(Capability::QueueManage),
            can_see_evidence: may(Capability::EvidenceView),
            csrf: form_token.map_or_else(String::new, |token| token.0.to_string()),
            as_of: None,
            status: viewer.and_then(|viewer| viewer.status.get().cloned()),
            behind: None,
            claim_boundary: CLAIM_BOUNDARY,
            address: viewer.map_or_else(String::new, |viewer| viewer.address.to_string()),
            refresh: Refresh::Never,
            notice: None,
            zone: TimeZone::UTC,
        }
    }

    /// Looks again by itself: not where something is asked for behind the path, as by a form of filters.
    fn refreshed(self) -> Self {
        let refresh = match self.address.split_once('?') {
            None => Refresh::Every(REFRESH_SECONDS),
            Some((_, "refresh=off")) => Refresh::Stopped,
            Some(_) => Refresh::Never,
        };
        Self { refresh, ..self }
    }

    /// Says that the viewer asked for the run of this page at `at`. A page that looks again does so soon, for what comes of
    /// it.
    fn tell_of_request(&mut self, at: Moment, is_open: bool, as_of: Moment) {
        let asked = format!("Asked at {} by {}.", at.in_zone(&self.zone), self.viewer);
        let is_new = as_of.0.duration_since(at.0).as_secs() < 60;
        if let Refresh::Every(seconds) = &mut self.refresh
            && is_new
        {
            *seconds = REFRESH_SOON_SECONDS;
        }
        self.notice = Some(match (is_open, is_new) {
            (false, _) => format!("{asked} The run is closed."),
            (true, true) => match self.refresh {
                Refresh::Every(seconds) => {
                    format!("{asked} It waits for a worker; this page looks again in {seconds} s.")
                }
                Refresh::Never | Refresh::Stopped => format!("{asked} It waits for a worker."),
            },
            (true, false) => format!(
                "{asked} The run is still open: it waits for proof, as its reason says, or no worker runs, which the \
                 queue shows."
            ),
        });
    }

    /// The time zone of the page, where that is not UTC.
    fn zone_name(&self) -> Option<&str> {
        self.zone.iana_name().filter(|name| *name != "UTC")
    }

    /// The path of the page.
    fn path(&self) -> &str {
        let target = self
            .address
            .find('/')
            .and_then(|start| self.address.get(start..));
        target.unwrap_or("/").split('?').next().unwrap_or("/")
    }

    fn places(&self) -> [MenuLink; 5] {
        [
            (Menu::Overview, "/", "Overview"),
            (Menu::Runs, "/runs", "Runs"),
            (Menu::Restores, "/restores", "Restores"),
            (Menu::Queue, "/queue", "Queue and sweeps"),
            (Menu::Reasons, "/reasons", "Reasons"),
        ]
        .map(|(menu, href, label)| MenuLink {
            href,
            label,
            is_current: self.current == Some(menu),
        })
    }
}

/// Says of pages that a shell frames them.
macro_rules! framed {
    ($($name:ident),+) => {$(
        impl Page for $name<'_> {
            fn shell(&self) -> &Shell {
                self.shell
            }
        }
    )+};
}

/// Declares pages that show one answer and nothing beside it.
macro_rules! pages {
    ($($(#[$about:meta])* $name:ident = $path:literal of $answer:ty;)+) => {$(
        $(#[$about])*
        #[derive(Template)]
        #[template(path = $path, config = "src/console/askama.toml")]
        pub struct $name<'a> {
            /// What the page is framed by.
            pub shell: &'a Shell,
            /// What it shows.
            pub answer: &'a $answer,
        }

        framed!($name);
    )+};
}

framed!(
    FindPage,
    OverviewPage,
    QueuePage,
    ReasonsPage,
    RestoresPage,
    RunsPage
);

pages! {
    /// One run.
    RunPage = "run.html" of RunDetail;
    /// The evidence of one run.
    EvidencePage = "evidence.html" of RunDetail;
    /// What the rules say of a run now.
    ExplainPage = "explain.html" of Explanation;
    /// One restore.
    RestorePage = "restore.html" of Preparation;
    /// What one reason code means.
    ReasonPage = "reason.html" of ReasonCode;
}

/// Recovery posture and backup health, and what needs somebody.
#[derive(Template)]
#[template(path = "overview.html", config = "src/console/askama.toml")]
pub struct OverviewPage<'a> {
    /// What the page is framed by.
    pub shell: &'a Shell,
    /// What it shows.
    pub answer: &'a Overview,
    /// How many runs are in which state, and where they are listed.
    pub runs: &'a Form,
    /// What was asked for.
    pub query: &'a EnvironmentQuery,
    /// The filters above the environments.
    pub form: &'a Form,
}

/// Every reason code.
#[derive(Template)]
#[template(path = "reasons.html", config = "src/console/askama.toml")]
pub struct ReasonsPage<'a> {
    /// What the page is framed by.
    pub shell: &'a Shell,
}

/// What has an id that somebody looks for.
#[derive(Template)]
#[template(path = "find.html", config = "src/console/askama.toml")]
pub struct FindPage<'a> {
    /// What the page is framed by.
    pub shell: &'a Shell,
    /// What is looked for.
    pub sought: &'a str,
    /// What was found.
    pub hits: &'a [Hit],
}

/// The list of runs.
#[derive(Template)]
#[template(path = "runs.html", config = "src/console/askama.toml")]
pub struct RunsPage<'a> {
    /// What the page is framed by.
    pub shell: &'a Shell,
    /// What it shows.
    pub answer: &'a RunList,
    /// The filters above the list.
    pub form: &'a Form,
    /// The filtered list for spreadsheets.
    pub csv: String,
    /// The address of this list as JSON.
    pub json: String,
}

/// The list of restores.
#[derive(Template)]
#[template(path = "restores.html", config = "src/console/askama.toml")]
pub struct RestoresPage<'a> {
    /// What the page is framed by.
    pub shell: &'a Shell,
    /// What it shows.
    pub answer: &'a RestoreList,
    /// What was asked for.
    pub query: &'a RestoreQuery,
    /// The filters above the list.
    pub form: &'a Form,
}

/// The queue and the sweeps.
#[derive(Template)]
#[template(path = "queue.html", config = "src/console/askama.toml")]
pub struct QueuePage<'a> {
    /// What the page is framed by.
    pub shell: &'a Shell,
    /// The queue and whoever works on it.
    pub queue: &'a QueueView,
    /// The latest sweeps.
    pub sweeps: &'a SweepsShown,
}

/// The form for a token.
#[derive(Template)]
#[template(path = "login.html", config = "src/console/askama.toml")]
pub struct LoginPage<'a> {
    /// What the page is framed by.
    pub shell: &'a Shell,
    /// Where a login leads.
    pub back: &'a str,
    /// Whether the token before was nobody's.
    pub has_failed: bool,
}

/// Why there is no page.
#[derive(Template)]
#[template(path = "problem.html", config = "src/console/askama.toml")]
pub struct ProblemPage<'a> {
    /// What the page is framed by.
    pub shell: &'a Shell,
    /// What went wrong.
    pub title: &'a str,
    /// More about it.
    pub detail: Option<&'a str>,
    /// The HTTP status.
    pub status: u16,
    /// Whether the viewer lacks a capability, which somebody can give.
    pub is_about_rights: bool,
}

/// The form for a token, which leads back to `back`.
pub(super) fn render_login_page(back: &str, has_failed: bool) -> String {
    render_alone(&LoginPage {
        shell: &Shell::around("Log in", None),
        back,
        has_failed,
    })
}

/// Has each page say whether the product works. A page whose status cannot be read says that.
pub(super) async fn see_status(State(console): AppState, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // What has no line to show reads none; a probe above all waits for no database.
    let others = [
        "/api/", "/assets/", "/metrics", "/livez", "/readyz", "/login", "/logout",
    ];
    let is_file = path
        .rsplit_once('.')
        .is_some_and(|(_, format)| ["csv", "json"].contains(&format));
    let is_page = !is_file && !others.iter().any(|other| path.starts_with(other));
    let viewer = request.extensions().get::<Option<Viewer>>();
    if let Some(viewer) = viewer.cloned().flatten().filter(|_| is_page)
        && viewer.can.contains(&Capability::RunsView)
    {
        let status = console.status(&viewer).await;
        let status = status.unwrap_or_else(|_| ServiceStatus::unknown(clock::wall()).into());
        // Nobody has set it before.
        viewer.status.set(status).ok();
    }
    next.run(request).await
}

/// A problem as a page, with the menu for whoever is let in.
pub(super) fn render_problem_page(problem: &Problem, viewer: Option<&Viewer>) -> String {
    render_alone(&ProblemPage {
        shell: &Shell::around(problem.title, viewer),
        title: problem.title,
        detail: problem.detail(),
        status: problem.status.as_u16(),
        is_about_rights: problem.is_about_rights(),
    })
}

/// A page of which no other is left to say that it failed.
fn render_alone(page: &impl Template) -> String {
    page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        String::new()
    })
}
