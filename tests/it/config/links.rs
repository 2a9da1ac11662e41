//! Templates of the platform's addresses, and the time zone of pages.

use restore_reconciler::internals::config::{Linked, addresses};

use super::{parse, refusal};

fn with(links: &str) -> String {
    format!("[console.links]\n{links}\n")
}

#[test]
fn templates_become_addresses_of_what_is_known() {
    let text = with(
        "run = \"https://atlas.example/w/{workspace}/runs/{run}?from={run}#x\"\n\
         backup_set = \"https://localhost:8080/sets/{backup_set}\"\n\
         evidence = \"https://[::1]/{run}/{evidence}\"",
    );
    let links = parse(&text).expect(&text).console.links.expect("templates");
    let id_of = |of| match of {
        Linked::Run => Some(4711),
        Linked::Workspace => Some(3),
        Linked::BackupSet => Some(i64::MAX),
        _ => None,
    };
    let found = addresses(&links, id_of);
    let found: Vec<_> = found
        .iter()
        .map(|(of, href)| (of.name(), href.as_str()))
        .collect();
    let expected = [
        ("run", "https://atlas.example/w/3/runs/4711?from=4711#x"),
        (
            "backup_set",
            "https://localhost:8080/sets/9223372036854775807",
        ),
    ];
    assert_eq!(found, expected, "no evidence is known");
    let inline = "console.links = { run = \"https://atlas.example/{run}\" }";
    assert_eq!(
        parse(inline)
            .expect(inline)
            .console
            .links
            .expect("one")
            .len(),
        1
    );
}

#[test]
fn a_template_that_leads_nowhere_is_refused_and_said_why() {
    for (links, said) in [
        (
            "run = \"https://x.example/{runs}/{run}\"",
            "unknown placeholder; did you mean `run`?",
        ),
        (
            "restore = \"https://x.example/{restor}\"",
            "unknown placeholder; did you mean `restore`?",
        ),
        (
            "run = \"https://x.example/{zzz}/{run}\"",
            "unknown placeholder; there are run, restore,",
        ),
        ("run = \"https://x.example/{run\"", "a `{` has no `}`"),
        (
            "run = \"https://x.example/{restore}\"",
            "it must hold {run}",
        ),
        (
            "run = \"http://x.example/{run}\"",
            "it must begin with https://",
        ),
        (
            "run = \"http://localhost:8080/{run}\"",
            "it must begin with https://",
        ),
        (
            "run = \"http://127.0.0.1/{run}\"",
            "it must begin with https://",
        ),
        (
            "run = \"javascript:alert({run})\"",
            "it must begin with https://",
        ),
        ("run = \"/runs/{run}\"", "it must be a whole URL"),
        ("run = \"https://{run}.example/\"", "behind the host only"),
        (
            "run = \"https://me:secret@x.example/{run}\"",
            "it must hold no name and no password",
        ),
        (
            "rum = \"https://x.example/{run}\"",
            "unknown key; did you mean `run`?",
        ),
        ("run = 1", "it must be a text"),
    ] {
        let found = refusal(&with(links));
        assert!(found.contains(said), "{links}: {found}");
        assert!(found.contains("console.links"), "{links}: {found}");
        assert!(found.contains("x.toml:"), "{links}: {found}");
        assert!(!found.contains("secret"), "{found}");
    }
    let long = format!("run = \"https://x.example/{}{{run}}\"", "x".repeat(1_000));
    assert!(refusal(&with(&long)).contains("at most 1000 bytes"));
}

#[test]
fn a_time_zone_has_the_name_that_the_table_gives_it() {
    for (name, kept) in [
        ("UTC", "UTC"),
        ("europe/berlin", "Europe/Berlin"),
        ("Asia/Kolkata", "Asia/Kolkata"),
    ] {
        let text = format!("console.time_zone = \"{name}\"");
        assert_eq!(parse(&text).expect(&text).console.time_zone, kept);
    }
    let slip = refusal("console.time_zone = \"Europe/Berln\"");
    assert!(slip.contains("did you mean \"Europe/Berlin\"?"), "{slip}");
    for no_name in ["\"\"", "\"+01:00\"", "1", "\"../../etc/passwd\""] {
        let text = format!("console.time_zone = {no_name}");
        assert!(refusal(&text).contains("IANA name"), "{text}");
    }
}
