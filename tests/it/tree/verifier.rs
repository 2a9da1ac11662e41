//! The verifier itself: what a file of checkpoints may hold, and by which keys.

use std::fs;

use restore_reconciler::internals::ledger::{CheckpointSigner, NewKey, note};
use restore_reconciler::internals::tree::Edge;
use tempfile::TempDir;

use super::{judged, key, origin, seal};
use crate::cli::stage::run;

/// What it is, what the file holds, the keys that are named, the exit code, and what is said.
///
/// `ONE` is the unsigned checkpoint of one verdict, `TWO` is of two by the first key, `FOUR` of four by the newer one; `HEAD` is what
/// `TWO` says, and `SIGNED`, `SIGNED4` are the signatures of both.
const CASES: &[(&str, &str, &str, i32, &str)] = &[
    (
        "one of two keys",
        "<TWO>",
        "first",
        3,
        "which no --key names",
    ),
    (
        "both keys after a rotation",
        "<TWO>\n<FOUR>\n",
        "first newer",
        0,
        "The first 4 verdicts are those of a checkpoint that was kept elsewhere, verified",
    ),
    (
        "the newer key after a rotation",
        "<TWO>\n<FOUR>\n",
        "newer",
        0,
        "The first 4 verdicts are those of a checkpoint that was kept elsewhere, verified",
    ),
    (
        "the newer key, and what is unsigned or signed by another before",
        "<ONE>\n<TWO>\n<FOUR>\n",
        "newer",
        0,
        "2 of these are signed by other keys than those that are named",
    ),
    (
        "the older key after a rotation",
        "<TWO>\n<FOUR>\n",
        "first",
        3,
        "the checkpoint of 4 verdicts kept elsewhere is signed by",
    ),
    (
        "the newer key, and what was kept before alone",
        "<TWO>",
        "newer",
        3,
        "which no --key names",
    ),
    (
        "one key twice",
        "<TWO>",
        "first first newer",
        0,
        "The first 2 verdicts",
    ),
    (
        "no key",
        "<ONE>\n<TWO>\n<FOUR>\n",
        "",
        0,
        "said to be signed by restore-reconciler/",
    ),
    (
        "unsigned, no key",
        "<ONE>",
        "",
        0,
        "unsigned: whoever could write to that file",
    ),
    (
        "unsigned, and a key",
        "<ONE>",
        "first newer",
        3,
        "is unsigned, and so shows nothing where a key is named",
    ),
    (
        "unsigned text of a signed one",
        "<HEAD>\n",
        "first newer",
        3,
        "is unsigned, and so shows nothing",
    ),
    (
        "another's key",
        "<TWO>",
        "stranger",
        3,
        "which no --key names",
    ),
    (
        "another size below the signature",
        "<SIZE3>\n\n<SIGNED>",
        "first newer",
        3,
        "has a signature that is none of its text",
    ),
    (
        "another root below the signature",
        "<ROOT4>\n\n<SIGNED>",
        "first newer",
        3,
        "it was forged or altered",
    ),
    (
        "a signature of another checkpoint",
        "<HEAD>\n\n<SIGNED4>",
        "first newer",
        3,
        "it was forged or altered",
    ),
    (
        "another's words under a key's name",
        "<HEAD>\n\n<FORGED>\n",
        "first newer",
        3,
        "it was forged or altered",
    ),
    (
        "a signature that is no text of bytes",
        "<HEAD>\n\n<BROKEN>\n",
        "first newer",
        1,
        "no checkpoints can be read",
    ),
    (
        "another size, unsigned",
        "<SIZE3>\n",
        "",
        3,
        "the first 3 verdicts are not those of the checkpoint kept elsewhere: between positions 1 and 3",
    ),
    (
        "signed, and of other leaves",
        "<OTHER3>",
        "first newer",
        3,
        "the first 3 verdicts are not those of the checkpoint kept elsewhere",
    ),
    (
        "signed, and of more leaves",
        "<OTHER9>",
        "first newer",
        3,
        "is of 9 verdicts; there are leaves of 4: between positions 1 and 9",
    ),
    (
        "another installation's",
        "<STRANGE>",
        "stranger",
        3,
        "is of restore-reconciler/another, and not of restore-reconciler/",
    ),
    (
        "a size that is none",
        "<SIZE03>\n",
        "",
        1,
        "no checkpoints can be read",
    ),
    (
        "a size of nothing",
        "<SIZE0>\n",
        "",
        1,
        "no checkpoints can be read",
    ),
    (
        "more lines than ours",
        "<HEAD>\nmore\n",
        "",
        1,
        "no checkpoints can be read",
    ),
    (
        "some that are whole and one that is not",
        "<TWO>\n<FOUR>\nhalf a\n",
        "first newer",
        3,
        "number 3 of the checkpoints kept elsewhere cannot be read",
    ),
    ("nothing", "", "", 1, "no checkpoints can be read"),
    (
        "a key that is none",
        "<TWO>",
        "none",
        2,
        "it must be a public key",
    ),
    (
        "a private key",
        "<TWO>",
        "private",
        2,
        "it must be a public key",
    ),
];

/// Where somebody may read that a checkpoint is verified although something disagrees: what is whole is.
const VERIFIED_ALL_THE_SAME: [&str; 3] = [
    "one of two keys",
    "the older key after a rotation",
    "some that are whole and one that is not",
];

/// A tree of so many leaves that are nobody's.
fn invented(leaves: u8) -> Edge {
    let mut edge = Edge::default();
    (0..leaves).for_each(|leaf| edge.push([leaf; 32]));
    edge
}

#[tokio::test]
async fn what_is_kept_elsewhere_counts_for_what_it_is_worth() {
    let on = judged(4).await;
    let origin = origin(&on).await;
    let (signer, first) = key(&on).await;
    let (newer, second) = key(&on).await;
    let stranger = NewKey::make("restore-reconciler/another");
    let strange = CheckpointSigner::read(&stranger.private).expect("a key");
    let mut notes = Vec::new();
    for (leaves, by) in [(1, None), (1, Some(&signer)), (2, Some(&newer))] {
        let sealed = seal(&on.store, leaves, by).await;
        notes.push(sealed.checkpoint.expect("one").note);
    }
    let split = |note: &str| {
        let (head, signature) = note.split_once("\n\n").expect("a signature");
        (head.to_owned(), signature.to_owned())
    };
    let ((head, by_first), (head_of_four, by_newer)) = (split(&notes[1]), split(&notes[2]));
    let root_of = |head: &str| head.lines().nth(2).expect("a root").to_owned();
    let sized = |size: &str| head.replacen("\n2\n", &format!("\n{size}\n"), 1);
    let of = |edge: Edge| note(&origin, &edge, std::slice::from_ref(&signer)).expect("a note");
    let strange = note("restore-reconciler/another", &invented(2), &[strange]).expect("a note");
    let texts = [
        ("<SIGNED4>", by_newer),
        ("<FORGED>", by_first[..by_first.len() - 9].to_owned()),
        ("<BROKEN>", by_first[..by_first.len() - 8].to_owned()),
        ("<SIGNED>", by_first.clone()),
        (
            "<ROOT4>",
            head.replacen(&root_of(&head), &root_of(&head_of_four), 1),
        ),
        ("<SIZE3>", sized("3")),
        ("<SIZE03>", sized("03")),
        ("<SIZE0>", sized("0")),
        ("<OTHER3>", of(invented(3))),
        ("<OTHER9>", of(invented(9))),
        ("<STRANGE>", strange),
        ("<HEAD>", head.clone()),
        ("<ONE>", notes[0].clone()),
        ("<TWO>", notes[1].clone()),
        ("<FOUR>", notes[2].clone()),
    ];
    let directory = TempDir::new().expect("a directory");
    let kept = directory.path().join("kept.txt");
    let file = kept.to_str().expect("a path");
    for (what, text, keys, code, said) in CASES {
        println!("{what}");
        let replaced = |text: String, (name, is): &(&str, String)| text.replace(name, is);
        let text = texts.iter().fold((*text).to_owned(), replaced);
        fs::write(&kept, text).expect("a file");
        let mut arguments = vec!["ledger", "verify", "--checkpoint", file];
        for word in keys.split_whitespace() {
            let key: &str = match word {
                "first" => &first,
                "newer" => &second,
                "stranger" => &stranger.public,
                "private" => &stranger.private,
                _ => "restore-reconciler/x+00000000+AAAA",
            };
            arguments.extend(["--key", key]);
        }
        let ran = run(&on.url, &arguments).exits(*code);
        let all = ran.all();
        assert!(all.contains(said), "{what}: {said}: {all}");
        let may_be = *code == 0 || VERIFIED_ALL_THE_SAME.contains(what);
        assert!(may_be || !all.contains("verified"), "{what}: {all}");
    }
    run(&on.url, &["ledger", "verify", "--key", &second]).exits(0);
    run(&on.url, &["ledger", "verify", "--key", &first])
        .exits(3)
        .says(
            &["the checkpoint of 4 verdicts on record is signed by"],
            &[],
        );
    // Nobody is told of a part of a file as if it were all of it.
    fs::write(&kept, &notes[2]).expect("a file");
    let long = fs::File::options().write(true).open(&kept);
    let long = long.and_then(|file| file.set_len((256 << 20) + 1));
    long.expect("a file with a hole");
    run(&on.url, &["ledger", "verify", "--checkpoint", file])
        .exits(1)
        .says(
            &[],
            &["is longer than the 256 MiB of checkpoints that are read"],
        );
    fs::remove_file(&kept).expect("it is there");
    run(&on.url, &["ledger", "verify", "--checkpoint", file])
        .exits(1)
        .says(&[], &["no checkpoints can be read from"]);

    // A key that nothing was signed by is no reason to call anything checked.
    let gone = "SET session_replication_role = replica; DELETE FROM reconciler.checkpoints";
    on.execute_as_superuser(gone).await;
    run(&on.url, &["ledger", "verify", "--key", &second])
        .exits(3)
        .says(
            &["there is no checkpoint that a key which is named could have signed"],
            &[],
        );
    run(&on.url, &["ledger", "verify"]).exits(0);
}
