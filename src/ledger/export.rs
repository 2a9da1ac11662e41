//! Writing an export.
//!
//! **Invariant:** the same verdicts make the same bytes.

use std::collections::BTreeMap;
use std::io::{self, Seek, Write};

use reconciler_jobs::restore_execute::RULESETS;
use reconciler_jobs::restore_execute::canonical::{
    CanonicalError, Digester, canonicalise, digest_of,
};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::exported::{
    BYTES_MAX, CHECKPOINTS, CONSISTENCY, ExportEntry, FORMAT, MANIFEST, Manifest, REPORT,
    TEXT_BYTES_MAX, VERDICTS, table_name,
};
use super::report::ExportReport;
use crate::storage::LedgerPlace;

/// An export that is being written.
pub struct ExportWriter<W: Write + Seek> {
    zip: ZipWriter<W>,
    manifest: Manifest,
    checkpoints: ExportedCheckpoints,
    verdicts: Digester,
    report: ExportReport,
    /// How much was written so far.
    bytes: u64,
}

/// The checkpoints that go into one.
#[derive(Debug, Clone)]
pub struct ExportedCheckpoints {
    /// As notes, in the order of their sizes, with an empty line after each.
    pub notes: String,
    /// How many leaves the last is of.
    pub size: u64,
    /// For each checkpoint but the first, the proof that its tree goes on from that of the one before.
    pub consistency: Vec<Vec<[u8; 32]>>,
}

/// Why an export cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportWriteError {
    /// It would be refused by whoever checks it.
    #[error("it would be larger than the 2 GiB that are checked: export from a later --since on")]
    TooLarge,
    /// The file takes no more.
    #[error("the file cannot be written: {0}")]
    File(#[from] io::Error),
    /// The archive cannot be made.
    #[error("the archive cannot be made: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// Something has no text.
    #[error("a value cannot be written: {0}")]
    Value(#[from] CanonicalError),
}

impl<W: Write + Seek> ExportWriter<W> {
    /// Begins one of this workspace.
    ///
    /// # Errors
    /// Where the file takes nothing.
    pub fn begin(
        to: W,
        (origin, workspace): (String, String),
        since: Option<String>,
        checkpoints: ExportedCheckpoints,
    ) -> Result<Self, ExportWriteError> {
        let mut zip = ZipWriter::new(to);
        zip.start_file(VERDICTS, options())?;
        Ok(Self {
            zip,
            report: ExportReport::new(&workspace),
            bytes: 0,
            manifest: Manifest {
                format: FORMAT,
                origin,
                workspace,
                since,
                size: checkpoints.size,
                verdicts: 0,
                erased: 0,
                entries: BTreeMap::new(),
            },
            checkpoints,
            verdicts: Digester::default(),
        })
    }

    /// Adds the next verdict, and whether its leaf follows from it: of one that was changed the report says that alone.
    ///
    /// # Errors
    /// Where the file takes no more.
    pub fn add(&mut self, entry: &ExportEntry, follows: bool) -> Result<(), ExportWriteError> {
        let mut line = canonicalise(entry)?.text;
        line.push('\n');
        count(&mut self.bytes, &line, TEXT_BYTES_MAX)?;
        self.zip.write_all(line.as_bytes())?;
        self.verdicts.update(line.as_bytes());
        self.manifest.verdicts += 1;
        self.manifest.erased += u64::from(entry.is_erased());
        self.report.add(entry, follows);
        Ok(())
    }

    /// Writes everything else.
    ///
    /// # Errors
    /// Where the file takes no more.
    pub fn finish(mut self) -> Result<(W, Manifest), ExportWriteError> {
        let digest = self.verdicts.finish();
        self.manifest.entries.insert(VERDICTS.to_owned(), digest);
        let report = self.report.write(&self.manifest);
        let between = self.checkpoints.consistency.iter();
        let between: Vec<Vec<_>> = between
            .map(|proof| proof.iter().map(hex::encode).collect())
            .collect();
        let mut parts = vec![
            (CHECKPOINTS.to_owned(), self.checkpoints.notes),
            (CONSISTENCY.to_owned(), canonicalise(&between)?.text),
            (REPORT.to_owned(), report),
        ];
        for table in RULESETS.iter().map(|it| it.table) {
            parts.push((
                table_name(table.ruleset, "json"),
                table.to_json().map_err(CanonicalError::from)?,
            ));
            parts.push((table_name(table.ruleset, "txt"), table.to_string()));
        }
        for (name, text) in parts {
            // The report is read for its digest alone.
            let text_max = if name == REPORT {
                BYTES_MAX
            } else {
                TEXT_BYTES_MAX
            };
            count(&mut self.bytes, &text, text_max)?;
            self.zip.start_file(name.as_str(), options())?;
            self.zip.write_all(text.as_bytes())?;
            let digest = digest_of(&text);
            self.manifest.entries.insert(name, digest);
        }
        self.zip.start_file(MANIFEST, options())?;
        let manifest = canonicalise(&self.manifest)?.text;
        count(&mut self.bytes, &manifest, TEXT_BYTES_MAX)?;
        self.zip.write_all(manifest.as_bytes())?;
        Ok((self.zip.finish()?, self.manifest))
    }
}

/// A verdict as it goes into one.
///
/// # Errors
/// None: all that a leaf is made of has a text.
pub fn entry_of(place: &LedgerPlace, proof: &[[u8; 32]]) -> Result<ExportEntry, serde_json::Error> {
    let leaf = place.leaf_of(place.previous_leaf.clone(), place.facts_seal.clone());
    // Facts without what stands for them in the leaf would prove nothing.
    let is_sealed = place.facts_seal.is_some() && place.salt.is_some();
    let verdict = &place.row.verdict;
    let facts = verdict.facts.clone().filter(|_| is_sealed);
    Ok(ExportEntry {
        leaf: serde_json::from_value(serde_json::to_value(leaf)?)?,
        salt: place.salt.clone().filter(|_| facts.is_some()),
        facts,
        decision: place.is_there.then(|| verdict.decision.clone()),
        proof: proof.iter().map(hex::encode).collect(),
    })
}

/// Adds what is to be written to what was, unless that is too much.
fn count(bytes: &mut u64, text: &str, text_max: u64) -> Result<(), ExportWriteError> {
    let length = text.len() as u64;
    *bytes += length;
    if length > text_max || *bytes > BYTES_MAX {
        return Err(ExportWriteError::TooLarge);
    }
    Ok(())
}

/// Without a date, so that the same verdicts make the same file.
fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
}
