//! Who gets into the console, as the configuration says it.

use restore_reconciler::internals::config::{All, Capability, Console, Reach, Token};

use super::{parse, refusal};

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn entry(name: &str, hash: &str) -> String {
    format!(
        "[[console.tokens]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nworkspaces = \"all\"\n\
         capabilities = [\"runs.view\"]\n"
    )
}

#[test]
fn tokens_are_read_with_their_reach_and_what_they_may_do() {
    let text = entry("ops", HASH)
        + &format!(
            "[[console.tokens]]\nname = \"probe@host-1.example\"\nsha256 = \"{}\"\n\
             workspaces = [7, 3]\ncapabilities = [\"metrics.view\", \"runs.view\"]",
            "A".repeat(64)
        );
    let console = parse(&text).unwrap().console;
    assert_eq!(console.tokens[0].workspaces, Reach::All(All::All));
    assert_eq!(
        console.tokens[1],
        Token {
            name: "probe@host-1.example".to_owned(),
            sha256: "a".repeat(64),
            workspaces: Reach::Only([3, 7].into()),
            capabilities: [Capability::RunsView, Capability::MetricsView].into(),
            expires_at: None,
        }
    );
    let written = serde_json::to_string(&console).unwrap();
    assert_eq!(serde_json::from_str::<Console>(&written).unwrap(), console);
}

#[test]
fn an_entry_that_says_too_little_or_too_much_is_refused_by_its_place() {
    let good = entry("ops", HASH);
    for (bad, fault) in [
        (good.replace("\"ops\"", "\"\""), "its name must be"),
        (good.replace("\"ops\"", "\"o ps\""), "its name must be"),
        (good.replace("\"ops\"", "7"), "its name must be"),
        (good.replace(HASH, &HASH[1..]), "its sha256 must be 64"),
        (
            good.replace(HASH, &format!("g{}", &HASH[1..])),
            "its sha256 must be 64",
        ),
        (
            good.replace("\"all\"", "\"some\""),
            "its workspaces must be",
        ),
        (good.replace("\"all\"", "[]"), "its workspaces must be"),
        (good.replace("\"all\"", "[0]"), "its workspaces must be"),
        (good.replace("\"all\"", "[1, 1]"), "its workspaces must be"),
        (good.replace("\"all\"", "[\"1\"]"), "its workspaces must be"),
        (
            good.replace("runs.view", "runs.write"),
            "its capabilities must be",
        ),
        (
            good.replace("[\"runs.view\"]", "[]"),
            "its capabilities must be",
        ),
        (
            good.replace("workspaces = \"all\"\n", ""),
            "its workspaces must be",
        ),
        (good.clone() + "until = 1", "its keys must be"),
    ] {
        let text = refusal(&format!("{}{bad}", entry("first", &"b".repeat(64))));
        assert!(text.contains(&format!("entry 2: {fault}")), "{bad}: {text}");
        assert!(text.contains("`console.tokens`"), "{text}");
    }
    assert!(refusal("console.tokens = 1").contains("at most 1000 sections"));
    assert!(refusal("console.tokens = [1]").contains("entry 1: its keys must be"));
}

#[test]
fn no_two_tokens_share_a_name_or_a_hash() {
    let one = entry("one", HASH);
    let text = refusal(&(one.clone() + &entry("one", &"c".repeat(64))));
    assert!(text.contains("entry 2: its name must be another"), "{text}");
    let text = refusal(&(one + &entry("two", &HASH.to_uppercase())));
    assert!(
        text.contains("entry 2: its sha256 must be another"),
        "{text}"
    );
}

#[test]
fn a_thousand_tokens_are_read_and_one_more_is_not() {
    let many = |count: usize| -> String {
        (0..count)
            .map(|n| entry(&format!("t{n}"), &format!("{n:064x}")))
            .collect()
    };
    assert_eq!(parse(&many(1_000)).unwrap().console.tokens.len(), 1_000);
    assert!(refusal(&many(1_001)).contains("at most 1000 sections"));
}

#[test]
fn a_token_in_the_file_is_refused_and_not_repeated() {
    let token = format!("rrt_{HASH}");
    for text in [
        entry("ops", &token),
        entry(&token, HASH),
        entry("ops", HASH) + &format!("token = \"{token}\""),
        entry("ops", HASH).replace("\"all\"", &format!("\"{token}\"")),
        format!("console.tokens = [\"{token}\"]"),
        format!("console.listen = \"{token}\""),
        format!("\"{token}\" = 1"),
    ] {
        let error = parse(&text).expect_err(&text);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(HASH), "{text}: {shown}");
    }
}

#[test]
fn where_others_could_listen_in_tokens_are_asked_for() {
    for open in ["0.0.0.0:8717", "[::]:8717", "192.0.2.1:80"] {
        let listen = format!("[console]\nlisten = \"{open}\"\n");
        assert_eq!(
            refusal(&listen),
            format!(
                "x.toml: `console.listen` is \"{open}\", which others can reach, and there is no \
                 `[[console.tokens]]` entry to tell them apart; add one that `restore-reconciler \
                 token` makes, or listen on 127.0.0.1"
            )
        );
        assert!(parse(&(listen + &entry("ops", HASH))).is_ok());
    }
    for own in ["127.0.0.1:0", "127.8.9.1:80", "[::1]:8717"] {
        assert!(
            parse(&format!("console.listen = \"{own}\"")).is_ok(),
            "{own}"
        );
    }
}

#[test]
fn a_login_is_idle_no_longer_than_it_lasts() {
    let text = refusal("[console]\nsession_idle = \"2h\"\nsession_max = \"1h\"");
    assert!(
        text.contains("`console.session_idle` is \"2h\", longer than"),
        "{text}"
    );
}

#[test]
fn a_proxy_is_believed_from_its_addresses_alone_and_says_what_people_may_do() {
    let good = "[console]\nlisten = \"0.0.0.0:1\"\n[console.proxy]\naddresses = [\"::ffff:10.0.0.1\", \"fd00::1\"]\n\
                header = \"x-forwarded-user\"\nworkspaces = [3]\ncapabilities = [\"runs.view\"]\n";
    let proxy = parse(good).unwrap().console.proxy.expect("a proxy");
    let addresses: Vec<_> = proxy.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.0.0.1", "fd00::1"]);
    for (from, to, fault) in [
        (
            "[\"::ffff:10.0.0.1\", \"fd00::1\"]",
            "[]",
            "its addresses must be",
        ),
        ("\"fd00::1\"", "\"10.0.0.0/8\"", "its addresses must be"),
        ("x-forwarded-user", "X-User", "its header must be"),
        ("x-forwarded-user", "cookie", "its header must be"),
        ("[3]", "[]", "its workspaces must be"),
        ("runs.view", "runs.all", "its capabilities must be"),
        ("workspaces", "workspace", "it must be a section with"),
    ] {
        let refused = refusal(&good.replace(from, to));
        assert!(refused.contains(fault), "{from}: {refused}");
    }
}
