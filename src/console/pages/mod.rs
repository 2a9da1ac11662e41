//! The pages: each renders one answer.
//!
//! **Invariant:** a page says nothing that its answer does not; what is written in a template are headings, and
//! words that are true of every run.

mod chart;
mod download;
mod form;
pub(super) mod routes;
mod words;

use askama::Template;
use reconciler_jobs::reading::Availability;
use reconciler_jobs::reading::now::Change;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::reason::{CLAIM_BOUNDARY, Chapter};
use reconciler_jobs::restore_execute::review::Standing;

use super::access::Viewer;
use super::load::Hit;
use crate::config::Capability;
use crate::postures::Coverage;
use crate::views::Moment;
use crate::views::explain::Explanation;
use crate::views::overview::Overview;
use crate::views::queue::{QueueView, SweepsShown};
use crate::views::restore::Preparation;
use crate::views::run::RunDetail;
use crate::views::runs::RunList;
pub use form::Form;

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
    /// Whether somebody is let in, so that the menu is shown.
    pub is_in: bool,
    /// Who looks.
    pub viewer: String,
    /// Whether there is a session to end.
    pub can_log_out: bool,
    /// Whether the viewer may ask for runs.
    pub can_reconcile: bool,
    /// Whether the viewer may see evidence.
    pub can_see_evidence: bool,
    /// Goes with every form.
    pub csrf: String,
    /// The database's clock when the page's answer was read.
    pub as_of: Option<Moment>,
    /// About how far behind the standby is that it was read from.
    pub behind: Option<String>,
    /// Stands on every page.
    pub claim_boundary: &'static str,
}

/// The places of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// The overview of environments.
    Overview,
    /// The list of runs, and single ones.
    Runs,
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
            can_log_out: viewer.is_some_and(|viewer| !viewer.is_local()),
            can_reconcile: may(Capability::RunsReconcile),
            can_see_evidence: may(Capability::EvidenceView),
            csrf: form_token.map_or_else(String::new, |token| token.0.to_string()),
            as_of: None,
            behind: None,
            claim_boundary: CLAIM_BOUNDARY,
        }
    }

    fn places(&self) -> [MenuLink; 4] {
        [
            (Menu::Overview, "/", "Overview"),
            (Menu::Runs, "/runs", "Runs"),
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
    )+};
}

pages! {
    /// Recovery posture and backup health, and what needs somebody.
    OverviewPage = "overview.html" of Overview;
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
}

/// The form for a token, which leads back to `back`.
pub(super) fn render_login_page(back: &str, has_failed: bool) -> String {
    render_alone(&LoginPage {
        shell: &Shell::around("Log in", None),
        back,
        has_failed,
    })
}

/// A problem as a page, with the menu for whoever is let in.
pub(super) fn render_problem_page(
    title: &str,
    detail: Option<&str>,
    status: u16,
    viewer: Option<&Viewer>,
) -> String {
    render_alone(&ProblemPage {
        shell: &Shell::around(title, viewer),
        title,
        detail,
        status,
    })
}

/// A page of which no other is left to say that it failed.
fn render_alone(page: &impl Template) -> String {
    page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        String::new()
    })
}
