//! The archive of an export: read as it is written, and refused where it is packed in another way.
//!
//! **Invariants:**
//! - Each byte of the file belongs to one entry, or to the directory after them, and what is said twice is said alike. So no two
//!   programs find different entries in it, and nothing is hidden in between.
//! - Nothing is unpacked to the disk, and no more than an entry says it is long.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::exported::{BYTES_MAX, TEXT_BYTES_MAX};

/// How many entries an export may have.
const ENTRIES_MAX: u16 = 16;

/// How long the end of the directory is, and a line of it without the name.
const END: usize = 22;
const LINE: usize = 46;

/// How long the directory can be with so many entries.
const DIRECTORY_BYTES_MAX: usize = ENTRIES_MAX as usize * (LINE + u16::MAX as usize);

/// Why nothing more of a file is read.
pub(super) type Refused = String;

/// An archive that is read.
pub(super) struct Archive<R> {
    file: R,
    entries: BTreeMap<String, Packed>,
}

/// Where an entry is, and what it says of itself.
#[derive(Clone, Copy)]
struct Packed {
    begin: u64,
    length: u64,
    size: u64,
    crc: u32,
}

/// The bytes of an entry.
pub(super) struct Unpacked<'a, R> {
    packed: BufReader<Take<&'a mut R>>,
    inflate: Decompress,
    crc: Crc,
    is_at_end: bool,
    of: Packed,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory.
    pub(super) fn open(mut file: R) -> Result<Self, Refused> {
        let told = |error: io::Error| error.to_string();
        let Some((count, lines)) = directory_of(&mut file).map_err(told)? else {
            return Err(
                "it is no archive as exports are, with nothing before and after it".to_owned(),
            );
        };
        let mut rest = lines.as_slice();
        let mut entries = BTreeMap::new();
        let (mut place, mut size) = (0, 0);
        for _ in 0..count {
            let read = read_line(&mut file, &mut rest, place).map_err(told)?;
            let (name, entry) =
                read.ok_or("it has an entry that is packed as in no export of this format")?;
            place = entry.begin + entry.length;
            size += entry.size;
            if entries.insert(name, entry).is_some() {
                return Err("it has an entry twice".to_owned());
            }
        }
        let length = file.seek(SeekFrom::End(0)).map_err(told)?;
        if !rest.is_empty() || length != place + (lines.len() + END) as u64 {
            return Err("it has something beside its entries".to_owned());
        }
        if size > BYTES_MAX {
            return Err("it is too large".to_owned());
        }
        Ok(Self { file, entries })
    }

    /// The names of its entries.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    /// Whether it has an entry of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The bytes of an entry.
    pub(super) fn entry(&mut self, name: &str) -> Result<Unpacked<'_, R>, Refused> {
        let of = *self
            .entries
            .get(name)
            .ok_or_else(|| format!("it has no {name}"))?;
        let sought = self.file.seek(SeekFrom::Start(of.begin));
        sought.map_err(|error| format!("{name}: {error}"))?;
        Ok(Unpacked {
            packed: BufReader::new((&mut self.file).take(of.length)),
            inflate: Decompress::new(false),
            crc: Crc::new(),
            is_at_end: false,
            of,
        })
    }

    /// All bytes of an entry that is not large.
    pub(super) fn whole(&mut self, name: &str) -> Result<Vec<u8>, Refused> {
        let mut entry = self.entry(name)?;
        if entry.of.size > TEXT_BYTES_MAX {
            return Err(format!("{name} is too large"));
        }
        let mut bytes = Vec::new();
        let read = entry.read_to_end(&mut bytes);
        read.map_err(|error| format!("{name}: {error}"))?;
        Ok(bytes)
    }
}

/// How many entries there are, and the lines of the directory, which ends the file but for a note of where it is.
fn directory_of(file: &mut (impl Read + Seek)) -> io::Result<Option<(u16, Vec<u8>)>> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some(at) = length.checked_sub(END as u64) else {
        return Ok(None);
    };
    let found = bytes_at(file, at, END)?;
    let Some(end) = found.first_chunk::<END>() else {
        return Ok(None);
    };
    let (count, long, begin) = (short(end, 10), word(end, 12), word(end, 16));
    // One disk, as many entries here as there are, and no remark.
    let expected = [b"PK\x05\x06\0\0\0\0", &end[10..12], &end[10..20], b"\0\0"];
    let is_last = u64::from(begin) + u64::from(long) == at;
    let is_short = count <= ENTRIES_MAX && long as usize <= DIRECTORY_BYTES_MAX;
    if *end != *expected.concat() || !is_last || !is_short {
        return Ok(None);
    }
    let lines = bytes_at(file, begin.into(), long as usize)?;
    Ok(Some((count, lines)))
}

/// The next line of the directory, of an entry that stands at this place. None where it is not deflated, encrypted, of another
/// name than plain text, or says something else of itself there.
fn read_line(
    file: &mut (impl Read + Seek),
    rest: &mut &[u8],
    place: u64,
) -> io::Result<Option<(String, Packed)>> {
    let read = rest.split_first_chunk::<LINE>();
    let read = read.and_then(|(line, after)| {
        let (name, after) = after.split_at_checked(short(line, 28).into())?;
        Some((line, name, after))
    });
    let Some((line, name, after)) = read else {
        return Ok(None);
    };
    *rest = after;
    // No flags, deflated; nothing beside the name, on this disk; and where it stands.
    let is_plain = line.starts_with(b"PK\x01\x02")
        && (short(line, 8), short(line, 10)) == (0, 8)
        && line[30..36] == [0; 6]
        && u64::from(word(line, 42)) == place
        && !name.is_empty()
        && name.iter().all(u8::is_ascii_graphic);
    let header = [b"PK\x03\x04", &line[6..32], name].concat();
    if !is_plain || bytes_at(file, place, header.len())? != header {
        return Ok(None);
    }
    let packed = Packed {
        begin: place + header.len() as u64,
        length: word(line, 20).into(),
        size: word(line, 24).into(),
        crc: word(line, 16),
    };
    let name = String::from_utf8(name.to_vec());
    Ok(name.ok().map(|name| (name, packed)))
}

/// So many bytes from there on; as many as there are.
fn bytes_at(file: &mut (impl Read + Seek), at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn short(bytes: &[u8], at: usize) -> u16 {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map_or(0, |found| u16::from_le_bytes(*found))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map_or(0, |found| u32::from_le_bytes(*found))
}

fn other_than_said() -> io::Error {
    io::Error::other("it is not what its header says")
}

impl<R: Read> Unpacked<'_, R> {
    fn check_end(&mut self) -> io::Result<usize> {
        let (length, size) = (self.inflate.total_in(), self.inflate.total_out());
        if (length, size, self.crc.sum()) == (self.of.length, self.of.size, self.of.crc) {
            return Ok(0);
        }
        Err(other_than_said())
    }
}

impl<R: Read> Read for Unpacked<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.is_at_end {
            let packed = self.packed.fill_buf()?;
            let is_all = packed.is_empty();
            let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(packed, into, FlushDecompress::None)
                .map_err(|_| other_than_said())?;
            let taken = self.inflate.total_in() - taken;
            let made = self.inflate.total_out() - made;
            self.packed
                .consume(usize::try_from(taken).unwrap_or(usize::MAX));
            self.is_at_end = status == Status::StreamEnd;
            if self.inflate.total_out() > self.of.size || (is_all && made == 0 && !self.is_at_end) {
                return Err(other_than_said());
            }
            if let Some(made) = usize::try_from(made).ok().filter(|made| *made > 0) {
                self.crc.update(into.get(..made).unwrap_or_default());
                return Ok(made);
            }
        }
        self.check_end()
    }
}
