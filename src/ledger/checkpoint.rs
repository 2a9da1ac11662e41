//! Checkpoints: the root of the first leaves as a note that can be kept elsewhere, in the formats of C2SP (tlog-checkpoint and
//! signed-note).
//!
//! ```text
//! <origin>\n<number of leaves>\n<root, base64>\n\n— <name> <signature, base64>\n
//! ```
//!
//! **Invariant:** without a key it is the text alone, and reads unsigned. Nothing here says verified of a note unless its
//! signature is one of its text by a key that whoever asks has named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rand_core::OsRng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use signed_note::{
    Note, NoteError, Signature, Signer, StandardSigner, StandardVerifier, Verifier, VerifierList,
    generate_key,
};
use tlog_tiles::{Checkpoint, Hash};

use crate::tree::Edge;

/// What a signature's line begins with.
const SIGNATURE: &str = "— ";

/// Trees of more leaves than that are nobody's.
const SIZE_MAX: u64 = 1_000_000_000_000_000_000;

/// What checkpoints of this installation are called; its keys, too.
pub fn origin_of(install_id: &str) -> String {
    format!("restore-reconciler/{install_id}")
}

/// Signs checkpoints.
pub struct CheckpointSigner(StandardSigner);

/// A new key: what signs, and what checks.
pub struct NewKey {
    /// The private key. Whoever has it can sign.
    pub private: String,
    /// The public key.
    pub public: String,
}

/// A key that whoever asks takes for one of the installation's.
#[derive(Clone)]
pub struct PinnedKey(StandardVerifier);

/// It is no key, or one of another kind.
#[derive(Debug, thiserror::Error)]
#[error("it is no key of ed25519 in the format of signed notes")]
pub struct NoKey;

/// A checkpoint that was read.
#[derive(Debug, PartialEq)]
pub struct ReadCheckpoint {
    /// Whose it says it is.
    pub origin: String,
    /// How many leaves, the first of all, the checkpoint vouches for.
    pub size: u64,
    /// The root of these leaves.
    pub root: [u8; 32],
    /// The keys that it says it was signed by.
    pub keys: Vec<String>,
    /// None where it is unsigned.
    note: Option<Note>,
}

/// Whether a checkpoint is signed by a key that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureState {
    /// It is: the signature was checked with that key.
    Verified,
    /// It has no signature.
    Unsigned,
    /// It has a signature, and no key was named to check it with.
    Unchecked,
    /// Its signatures are by keys that were not named.
    OtherKey,
    /// It has a signature in the name of a key that was named, and that key did not make it.
    Forged,
}

impl CheckpointSigner {
    /// From the text of a private key.
    ///
    /// # Errors
    /// Where it is none. The error does not repeat it.
    pub fn read(key: &str) -> Result<Self, NoKey> {
        let signer = StandardSigner::new(key.trim());
        signer.map(Self).map_err(|_| NoKey)
    }

    /// What the key is called: the origin of the checkpoints that it is for.
    pub fn name(&self) -> &str {
        self.0.name()
    }
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_name(self.0.name(), self.0.key_id())) // the rest is a secret
    }
}

impl NewKey {
    /// Makes one, for checkpoints of this origin.
    pub fn make(origin: &str) -> Self {
        let (private, public) = generate_key(&mut OsRng, origin);
        Self { private, public }
    }
}

impl PinnedKey {
    /// From the text of a public key.
    ///
    /// # Errors
    /// Where it is none.
    pub fn read(key: &str) -> Result<Self, NoKey> {
        let verifier = StandardVerifier::new(key.trim());
        verifier.map(Self).map_err(|_| NoKey)
    }
}

impl fmt::Debug for PinnedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_name(self.0.name(), self.0.key_id()))
    }
}

/// How a key is named: by its name and its id.
fn key_name(name: &str, id: u32) -> String {
    format!("{name}+{id:08x}")
}

/// A checkpoint of the tree with this edge, signed by each of these that is for such checkpoints. None of a tree without leaves.
pub fn note(origin: &str, edge: &Edge, signers: &[CheckpointSigner]) -> Option<String> {
    let root = Hash(edge.root()?);
    let text = Checkpoint::new(origin, edge.size(), root, "").ok()?;
    let text = text.to_bytes();
    let signers: Vec<_> = signers.iter().filter(|it| it.name() == origin).collect();
    let bytes = if signers.is_empty() {
        text
    } else {
        let mut note = Note::new(&text, &[]).ok()?;
        let signers: Vec<&dyn Signer> = signers.iter().map(|it| &it.0 as &dyn Signer).collect();
        note.add_sigs(&signers).ok()?;
        note.to_bytes()
    };
    String::from_utf8(bytes).ok()
}

/// Checkpoints in a text, one after the other with an empty line after each, as they are added to a file; none for each that
/// cannot be read.
pub fn read_notes(text: &str) -> Vec<Option<ReadCheckpoint>> {
    let mut notes: Vec<String> = Vec::new();
    for block in text.split("\n\n") {
        let block = block.trim_matches('\n');
        match notes.last_mut() {
            _ if block.is_empty() => {}
            // After its text comes an empty line and its signatures.
            Some(note) if block.starts_with(SIGNATURE) => {
                note.extend(["\n", block, "\n"]);
            }
            _ => notes.push(format!("{block}\n")),
        }
    }
    notes
        .iter()
        .map(|note| ReadCheckpoint::read(note))
        .collect()
}

/// The checkpoints of an export; none where one of them is not as it was written, or something else is there.
pub fn read_exact_notes(text: &str) -> Option<Vec<ReadCheckpoint>> {
    let is_exact = text.ends_with("\n\n") && !text.starts_with('\n') && !text.contains("\n\n\n");
    let notes = is_exact.then(|| read_notes(text))?;
    notes.into_iter().collect()
}

impl ReadCheckpoint {
    /// A checkpoint from its text; none where it is none, and where it says more than ours do, or is signed twice by one key.
    pub fn read(text: &str) -> Option<Self> {
        let (note, keys) = if let Some((_, signatures)) = text.rsplit_once("\n\n") {
            let keys: Vec<_> = signatures.lines().filter_map(signed_by).collect();
            (Some(Note::from_bytes(text.as_bytes()).ok()?), keys)
        } else {
            (None, Vec::new())
        };
        let signed = note.as_ref().map_or(text.as_bytes(), Note::text);
        let checkpoint = Checkpoint::from_bytes(signed).ok()?;
        let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic());
        let is_ours = checkpoint.extension().is_empty()
            && (1..SIZE_MAX).contains(&checkpoint.size())
            && is_plain(checkpoint.origin())
            && keys.iter().all(|key| is_plain(key))
            && keys.iter().collect::<BTreeSet<_>>().len() == keys.len();
        is_ours.then(|| Self {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            root: checkpoint.hash().0,
            keys,
            note,
        })
    }

    /// What its signature is worth to whoever names these keys, and by which keys it is: those of them that it is verified by, else
    /// those that it says.
    pub fn signature(&self, pinned: &[PinnedKey]) -> (SignatureState, Vec<String>) {
        let said = |state| (state, self.keys.clone());
        let Some(note) = &self.note else {
            return said(SignatureState::Unsigned);
        };
        if pinned.is_empty() {
            return said(SignatureState::Unchecked);
        }
        // A list of keys that holds one of them twice is refused as ambiguous.
        let keys: BTreeMap<String, &PinnedKey> =
            pinned.iter().map(|key| (format!("{key:?}"), key)).collect();
        let keys = keys
            .values()
            .map(|key| Box::new(key.0.clone()) as Box<dyn Verifier>);
        match note.verify(&VerifierList::new(keys.collect())) {
            Ok((verified, _)) => {
                let name = |it: &Signature| key_name(it.name(), it.id());
                (
                    SignatureState::Verified,
                    verified.iter().map(name).collect(),
                )
            }
            Err(NoteError::UnverifiedNote) => said(SignatureState::OtherKey),
            Err(_) => said(SignatureState::Forged),
        }
    }

    /// By whom it says it was signed, for people.
    pub fn signers(&self) -> String {
        if self.keys.is_empty() {
            return "unsigned".to_owned();
        }
        self.keys.join(", ")
    }
}

/// The key that a signature's line names.
fn signed_by(line: &str) -> Option<String> {
    let signature = Signature::from_bytes(line.as_bytes()).ok()?;
    Some(key_name(signature.name(), signature.id()))
}
