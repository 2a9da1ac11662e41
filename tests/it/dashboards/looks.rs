//! What a reader of a dashboard sees before any number: that each panel says what it shows, in what, and what not.

use std::collections::BTreeSet;

use reconciler_jobs::reading::posture::Posture;
use reconciler_jobs::restore_execute::Outcome;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use restore_reconciler::internals::storage::QueueState;

use super::files::{Dashboard, Link, Panel, Place, dashboards, files, root, text};

/// Dashboards are written for this version of Grafana's format; older ones are converted when they are loaded.
const SCHEMA_VERSION: u32 = 39;

#[test]
fn every_panel_says_what_it_shows_and_in_what() {
    for dashboard in dashboards() {
        let title = &dashboard.title;
        assert_eq!(dashboard.schema_version, SCHEMA_VERSION, "{title}");
        assert!(!dashboard.description.is_empty(), "{title}");
        for panel in dashboard.shown() {
            let what = format!("{title}: {}", panel.title);
            let is_short = panel.title.len() <= 40 && !panel.title.ends_with(['?', '.']);
            assert!(is_short, "{what}");
            let empty = &panel.field_config.defaults.no_value;
            assert!(
                empty.is_some(),
                "{what}: what it shows where there is nothing"
            );
            let says = &panel.description;
            assert!(says.ends_with('.'), "{what}: {says}");
            let unit = &panel.field_config.defaults.unit;
            assert!(unit.is_some(), "{what}: its unit");
            assert!(!panel.targets.is_empty(), "{what} shows nothing");
            let of_targets = panel.targets.iter().map(|target| &target.datasource);
            for source in of_targets.chain(&panel.datasource) {
                assert_eq!(source.uid, "${datasource}", "{what}");
            }
            assert!(panel.datasource.is_some(), "{what}");
        }
    }
}

/// A verdict, a posture and a count of verdicts read well; none of them says that anything recovered.
#[test]
fn panels_that_read_well_say_what_is_not_proven() {
    let speaks_of_success = |panel: &&Panel| {
        let targets = &panel.targets;
        let asks = |name: &str| targets.iter().any(|target| target.expr.contains(name));
        asks("sum by (outcome)") && !asks("outcome!=")
            || asks("reconciler_ledger_rows")
            || asks("reconciler_environments)")
            || asks("reconciler_opinions_total")
    };
    let dashboards = dashboards();
    let panels = dashboards.iter().flat_map(Dashboard::shown);
    let panels: Vec<&Panel> = panels.filter(speaks_of_success).collect();
    assert_eq!(panels.len(), 5);
    for Panel {
        title, description, ..
    } in panels
    {
        assert!(description.contains(CLAIM_BOUNDARY), "{title}");
    }
}

#[test]
fn panels_lie_beside_each_other_and_have_names_of_their_own() {
    let mut uids = BTreeSet::new();
    for dashboard in dashboards() {
        let title = &dashboard.title;
        assert!(uids.insert(dashboard.uid.clone()), "{title}");
        let mut taken = BTreeSet::new();
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in &dashboard.panels {
            let what = format!("{title}: {}", panel.title);
            assert!(ids.insert(panel.id), "{what}");
            assert!(titles.insert(&panel.title), "{what}");
            let Place { x, y, w, h } = panel.grid_pos;
            assert!(x + w <= 24, "{what} is wider than a dashboard");
            let is_free = (y..y + h).all(|y| (x..x + w).all(|x| taken.insert((x, y))));
            assert!(is_free, "{what} lies on another panel");
        }
    }
}

#[test]
fn links_lead_to_pages_of_the_console_to_runbooks_and_to_the_other_dashboard() {
    let dashboards = dashboards();
    let uids: Vec<&str> = dashboards.iter().map(|it| it.uid.as_str()).collect();
    for dashboard in &dashboards {
        let variables = dashboard.templating.list.iter();
        let variables = variables.filter(|it| it.name != "instance");
        let defaults: Vec<_> = variables.map(|it| (&*it.name, &*it.query)).collect();
        let expected = [
            ("datasource", "prometheus"),
            ("console", "http://127.0.0.1:8717"),
            ("runbooks", "config/runbooks"),
        ];
        assert_eq!(defaults, expected);
        let of_panels = dashboard.shown().map(|panel| &panel.field_config.defaults);
        let of_panels = of_panels.flat_map(|defaults| &defaults.links);
        let links: Vec<&Link> = dashboard.links.iter().chain(of_panels).collect();
        let within = &dashboard.title;
        assert!(links.len() > 10, "{within}");
        for Link { title, url } in links {
            assert!(leads_somewhere(url, &uids), "{within}: {title}: {url}");
        }
    }
}

fn leads_somewhere(url: &str, uids: &[&str]) -> bool {
    if let Some(file) = url.strip_prefix("${runbooks:raw}/") {
        root().join("config/runbooks").join(file).exists()
    } else if let Some(page) = url.strip_prefix("${console:raw}") {
        is_page(page)
    } else {
        url.strip_prefix("/d/")
            .is_some_and(|uid| uids.contains(&uid))
    }
}

/// Whether the console has this page, and takes the parameters of its address.
pub(super) fn is_page(address: &str) -> bool {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let source = |file: &str| text(&root().join("src/console").join(file));
    let has = |text: &str, word: &str| text.contains(&format!("\"{word}\""));
    let query_names = source("query.rs");
    has(&source("pages/routes.rs"), path)
        && query
            .split('&')
            .filter_map(|pair| Some(pair.split_once('=')?.0))
            .all(|name| has(&query_names, name))
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let nowhere = "${runbooks:raw}/nothing.md ${console:raw}/nothing ${console:raw}/runs?nothing=1 /d/two \
        https://example.com/";
    for url in nowhere.split(' ') {
        assert!(!leads_somewhere(url, &["one"]), "{url}");
    }
    let somewhere = "${runbooks:raw}/reasons.md ${console:raw}/runs?reason=x /d/one";
    for url in somewhere.split(' ') {
        assert!(leads_somewhere(url, &["one"]), "{url}");
    }
}

/// One value has one colour, in every panel that draws it, and an outcome the one that pages draw it in.
#[test]
fn every_outcome_state_and_posture_has_a_colour_of_its_own() {
    let outcomes = Outcome::ALL.map(Outcome::name);
    let style = text(&root().join("src/console/assets/style.css"));
    for (legend, panels_with, words) in [
        ("{{outcome}}", 2, outcomes.to_vec()),
        (
            "{{state}}",
            2,
            QueueState::ALL.map(QueueState::name).to_vec(),
        ),
        ("{{posture}}", 1, Posture::ALL.map(Posture::name).to_vec()),
    ] {
        let dashboards = dashboards();
        let drawn = dashboards.iter().flat_map(Dashboard::targets);
        let drawn: Vec<&Panel> = drawn
            .filter(|(_, target)| target.legend_format == legend)
            .map(|(panel, _)| panel)
            .collect();
        assert_eq!(drawn.len(), panels_with, "{legend}");
        let first = drawn[0].field_config.colours();
        assert_eq!(
            first.keys().copied().collect::<BTreeSet<_>>(),
            words.iter().copied().collect()
        );
        // Green is a verdict's alone: of a posture none may be there.
        let green: Vec<&str> = first
            .iter()
            .filter(|it| *it.1 == "#3d7a5c")
            .map(|it| *it.0)
            .collect();
        assert!(legend != "{{posture}}" || green.is_empty(), "{green:?}");
        let distinct: BTreeSet<&str> = first.values().copied().collect();
        assert_eq!(distinct.len(), words.len(), "{legend}: {first:?}");
        for panel in drawn {
            assert_eq!(panel.field_config.colours(), first, "{}", panel.title);
        }
        for (word, colour) in first.iter().filter(|_| legend == "{{outcome}}") {
            assert!(
                style.contains(&format!(".plot .{word}, .swatch.{word} {{ fill: {colour};")),
                "{word} {colour}"
            );
        }
    }
    let dashboards = dashboards();
    let mixed = |panel: &&Panel| {
        panel
            .targets
            .iter()
            .any(|it| it.legend_format.contains("({{outcome}})"))
    };
    let panel = dashboards
        .iter()
        .flat_map(Dashboard::shown)
        .find(mixed)
        .expect("reasons");
    let colours = panel.field_config.colours();
    for outcome in outcomes.iter().filter(|it| **it != "succeeded") {
        assert!(
            colours.contains_key(&*format!("/\\({outcome}\\)$/")),
            "{colours:?}"
        );
    }
}

#[test]
fn starts_and_changes_are_marked_and_an_instance_can_be_chosen() {
    for dashboard in dashboards() {
        let marked = &dashboard.annotations.list;
        let names: Vec<&str> = marked.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["Process starts", "Version and ruleset changes"]);
        assert!(marked.iter().all(|it| it.datasource.uid == "${datasource}"));
        let variables = &dashboard.templating.list;
        assert!(variables.iter().any(|it| it.name == "instance"));
        // Rates are of the instances that were chosen; what the census says is of the whole database.
        for (panel, it) in dashboard.targets() {
            let is_rate = ["rate(reconciler_", "increase(reconciler_"]
                .iter()
                .any(|rate| it.expr.contains(rate));
            assert_eq!(
                it.expr.contains("$instance"),
                is_rate,
                "{}: {}",
                panel.title,
                it.expr
            );
        }
    }
}

#[test]
fn grafana_finds_both_dashboards_where_it_is_told_to_look() {
    assert_eq!(files("config/grafana/dashboards", "json").len(), 2);
    for (of, said) in [
        ("dashboards", "type: file"),
        ("dashboards", "path: /"),
        ("datasources", "type: prometheus"),
    ] {
        let file = format!("config/grafana/provisioning/{of}/restore-reconciler.yml");
        let provided = text(&root().join(file));
        assert!(provided.contains(said), "{provided}");
    }
}
