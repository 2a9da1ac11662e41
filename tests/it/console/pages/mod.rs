//! Every page in every state, as its text reads.
//!
//! A snapshot is the text of a page without its markup, one line per element that has any; a link is followed by
//! where it leads. What it looks like is for the browser to show.

mod lists;
mod restores;
mod runs;
mod scene;
mod states;

use askama::Template;
use jiff::tz::TimeZone;
use reconciler_jobs::reading::backup_health::BackupThresholds;
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use restore_reconciler::internals::console::pages::{LoginPage, ProblemPage, Refresh, Shell};
use restore_reconciler::internals::views::environment::Judging;
use restore_reconciler::internals::views::{Moment, Visibility};

/// Elements that do not end a line.
const INLINE: [&str; 8] = ["a", "span", "strong", "code", "time", "th", "td", "dd"];

fn shell(title: &str) -> Shell {
    Shell {
        title: title.to_owned(),
        current: None,
        is_in: true,
        viewer: "ops".to_owned(),
        can_log_out: true,
        can_view: true,
        can_reconcile: true,
        can_manage: true,
        can_see_evidence: true,
        csrf: "form-token".to_owned(),
        as_of: Some(Moment(scene::now())),
        status: None,
        behind: None,
        claim_boundary: CLAIM_BOUNDARY,
        address: "console.example/x".to_owned(),
        refresh: Refresh::Never,
        notice: None,
        zone: TimeZone::UTC,
    }
}

/// Around a page for somebody who is not in.
fn outside(title: &str) -> Shell {
    Shell {
        is_in: false,
        viewer: String::new(),
        can_log_out: false,
        can_view: false,
        can_reconcile: false,
        can_manage: false,
        can_see_evidence: false,
        csrf: String::new(),
        as_of: None,
        ..shell(title)
    }
}

/// As somebody sees it who may see everything, with the built-in thresholds.
fn judging<T>(judge: impl FnOnce(Judging<'_>) -> T) -> T {
    judge(Judging {
        policy: &Policy::default(),
        freshness: &FreshnessThresholds::default(),
        backup: &BackupThresholds::default(),
        visibility: Visibility { evidence: true },
    })
}

fn text(page: &impl Template) -> String {
    let html = page.render().unwrap();
    assert_sound(&html);
    let (_, main) = html.split_once("<main").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    let mut text = String::new();
    for piece in main.split('<').skip(1) {
        let (tag, words) = piece.split_once('>').unwrap();
        let name = tag.trim_start_matches('/');
        let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next();
        let name = name.unwrap_or_default();
        if tag.starts_with("/a") && name == "a" {
            text.push(' ');
        }
        if !INLINE.contains(&name) {
            text.push('\n');
        } else if !tag.starts_with('/') {
            text.push(' ');
        }
        text.push_str(&words.replace(['\n', '\r'], " "));
        if name == "a" && !tag.starts_with('/') {
            let (_, href) = tag.split_once("href=\"").unwrap_or_default();
            let href = href.split('"').next().unwrap_or_default();
            text.extend(["[→ ", href, "]"]);
        }
    }
    let lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// What holds of every page: nothing that the content policy forbids, and no word that claims too much.
fn assert_sound(html: &str) {
    // A reason code of the platform, and no claim.
    let lower = html.to_lowercase().replace("intune_rbac.unhealthy", "");
    let of_policy = ["<script", "style=", "javascript:", " onclick"];
    let of_links = ["http://", "https://"];
    let of_claims = ["recovery verified", "healthy", "compliant", "customer-safe"];
    for forbidden in [&of_policy[..], &of_links, &of_claims].concat() {
        assert!(!lower.contains(forbidden), "{forbidden}: {html}");
    }
    assert!(html.contains(CLAIM_BOUNDARY));
    assert_eq!(html.matches("<h1").count(), 1, "{html}");
}

#[test]
fn whoever_is_not_in_sees_a_form_and_no_menu() {
    let shell = outside("Log in");
    let login = |back, has_failed| LoginPage {
        shell: &shell,
        back,
        has_failed,
    };
    let failed = login("/runs?outcome=failed", true);
    insta::assert_snapshot!("login", text(&failed));
    let page = login("/", false).render().unwrap();
    assert!(!page.contains("<nav") && !page.contains("role=\"alert\""));
}

#[test]
fn a_problem_is_a_page_like_others() {
    let problem = ProblemPage {
        shell: &outside("There is nothing here"),
        title: "There is nothing here",
        detail: Some("<b>"),
        status: 404,
        is_about_rights: false,
    };
    insta::assert_snapshot!("problem", text(&problem));
}
