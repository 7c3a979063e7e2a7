//! All of a journal read through, for whoever wants to know whether it is whole.
//!
//! Nothing is changed, and nobody is kept from appending. **What is counted is what the
//! readers pass over**: a sink loses the same blocks, and no others.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zstd::bulk::Decompressor;

use super::block::{HEAD_BYTES, Header, MAX_TEXT, parse_head, timestamp};
use super::scan::{Scanner, Step, Want};
use super::segments::{self, Segment};
use crate::store::error::StoreError;

/// What is wrong at a place of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Blocks that cannot be read.
    Damaged,
    /// Blocks whose segment is not there, though older ones are.
    Missing,
    /// The start or the end of a segment; no block is lost with it.
    Frame,
}

/// A place that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub fault: Fault,
    /// The segment, or the one behind what is missing.
    pub file: PathBuf,
    /// First sequence that is lost.
    pub first: u64,
    /// How many.
    pub blocks: u64,
    /// The tick of the last whole block before.
    pub after: Option<Timestamp>,
    /// The tick of the first whole block behind.
    pub before: Option<Timestamp>,
}

/// What there is of a journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Whole blocks.
    pub blocks: u64,
    /// Field values in them.
    pub points: u64,
    /// Sequence of the oldest one.
    pub first: Option<u64>,
    /// Sequence of the newest one.
    pub last: Option<u64>,
    /// Tick of the oldest one.
    pub oldest: Option<Timestamp>,
    /// Tick of the newest one.
    pub newest: Option<Timestamp>,
    /// Places that are not whole.
    pub broken: Vec<Broken>,
    /// Bytes behind the newest block that are none: one that is being written, or the torn
    /// end that the next start cuts off.
    pub torn_bytes: u64,
}

/// Reads all segments of a folder.
///
/// # Errors
///
/// [`StoreError::Io`] where a file cannot be read at all.
pub fn verify(dir: &Path) -> Result<Verified, StoreError> {
    let segments = segments::list(dir)?;
    let mut walk = Walk {
        found: Verified::default(),
        last: None,
        waiting: 0,
        unpacker: Decompressor::new().map_err(StoreError::io(dir))?,
        text: Vec::new(),
    };
    for (place, segment) in segments.iter().enumerate() {
        let next = segments.get(place + 1).map(|next| next.first);
        match walk.segment(segment, next) {
            Ok(()) => (),
            // Deleted since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => return Err(StoreError::io(&segment.path)(error)),
        }
    }
    Ok(walk.found)
}

struct Walk {
    found: Verified,
    // The last sequence accounted for.
    last: Option<u64>,
    // Places at the end of the list that wait for the next whole block.
    waiting: usize,
    unpacker: Decompressor<'static>,
    text: Vec<u8>,
}

impl Walk {
    fn segment(&mut self, segment: &Segment, next: Option<u64>) -> io::Result<()> {
        let mut head = [0; HEAD_BYTES];
        let file = File::open(&segment.path)?;
        let length = file.metadata()?.len();
        let has_head = file.read_exact_at(&mut head, 0).is_ok() && parse_head(&head).is_some();
        self.found.segments += 1;
        self.found.bytes += length;
        let before = segment.first.saturating_sub(1);
        if self.last.is_some_and(|last| before > last) {
            self.lose(Fault::Missing, segment, before);
        }
        // Blocks of a segment stand behind its name, whatever the one before held.
        self.last = Some(self.last.map_or(before, |last| last.max(before)));
        let mut scanner = Scanner::open(&segment.path)?;
        let sealed = loop {
            let last = self.last.unwrap_or(before);
            let step = scanner.step(|header| {
                if header.seq > last {
                    Want::Read
                } else {
                    Want::Skip
                }
            })?;
            match step {
                Step::Block(header) => {
                    self.lose(Fault::Damaged, segment, header.seq - 1);
                    if self.unpacks(&header, scanner.payload()) {
                        self.take(&header);
                    } else {
                        self.lose(Fault::Damaged, segment, header.seq);
                    }
                }
                Step::Seal(summary) => {
                    self.lose(Fault::Damaged, segment, summary.last_seq);
                    break true;
                }
                Step::Stopped | Step::End => break false,
            }
        };
        let rest = length.saturating_sub(scanner.at());
        let lost = self.found.broken.len();
        match next {
            Some(next) if !sealed => self.lose(Fault::Damaged, segment, next.saturating_sub(1)),
            Some(_) => (),
            None => self.found.torn_bytes = rest,
        }
        let nothing_lost = self.found.broken.len() == lost;
        if !has_head && length > 0 || next.is_some() && !sealed && rest > 0 && nothing_lost {
            self.note(Fault::Frame, segment, 0);
        }
        Ok(())
    }

    fn take(&mut self, header: &Header) {
        let at = timestamp(header.at_ms);
        let found = &mut self.found;
        found.blocks += 1;
        found.points += u64::from(header.points);
        found.first = found.first.or(Some(header.seq));
        found.oldest = found.oldest.or(Some(at));
        for broken in found.broken.iter_mut().rev().take(self.waiting) {
            broken.before = Some(at);
        }
        self.waiting = 0;
        found.last = Some(header.seq);
        found.newest = Some(at);
        self.last = Some(header.seq);
    }

    /// Accounts for the blocks after the last one, up to `until`.
    fn lose(&mut self, fault: Fault, segment: &Segment, until: u64) {
        let last = self.last.unwrap_or(until);
        if until > last {
            self.note(fault, segment, until - last);
            self.last = Some(until);
        }
    }

    fn note(&mut self, fault: Fault, segment: &Segment, blocks: u64) {
        self.found.broken.push(Broken {
            fault,
            file: segment.path.clone(),
            first: self.last.unwrap_or(0).saturating_add(1),
            blocks,
            after: self.found.newest,
            before: None,
        });
        self.waiting += 1;
    }

    fn unpacks(&mut self, header: &Header, payload: &[u8]) -> bool {
        let length = usize::try_from(header.text_len).unwrap_or(usize::MAX);
        if length > MAX_TEXT {
            return false;
        }
        self.text.clear();
        self.text.reserve(length);
        let unpacked = self.unpacker.decompress_to_buffer(payload, &mut self.text);
        let lines = || self.text.iter().filter(|byte| **byte == b'\n').count();
        unpacked.is_ok_and(|got| got == length)
            && std::str::from_utf8(&self.text).is_ok()
            && u32::try_from(lines()).is_ok_and(|lines| lines == header.lines)
    }
}

/// Copies the segments of a journal as they are now, each whole: of the one that is
/// appended to the blocks that are there. Returns the last sequence in it.
///
/// # Errors
///
/// [`StoreError::Io`].
pub fn copy(dir: &Path, to: &Path) -> Result<Option<u64>, StoreError> {
    let segments = segments::list(dir)?;
    let mut last = None;
    for (place, segment) in segments.iter().enumerate() {
        let is_newest = place + 1 == segments.len();
        let target = segments::path(to, segment.first);
        let copied = fs::copy(&segment.path, &target).and_then(|_| {
            let file = File::options().write(true).open(&target)?;
            if is_newest {
                let (whole, seq) = whole(&target)?;
                file.set_len(whole)?;
                last = seq;
            }
            file.sync_all()
        });
        match copied {
            Ok(()) => (),
            // Deleted since the folder was listed; never the newest.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => return Err(StoreError::io(&segment.path)(error)),
        }
    }
    Ok(last)
}

/// Length of a segment up to its last whole record, and the sequence of its last block.
fn whole(path: &Path) -> io::Result<(u64, Option<u64>)> {
    let mut scanner = Scanner::open(path)?;
    let mut last = None;
    loop {
        match scanner.step(|_| Want::Read)? {
            Step::Block(header) => last = Some(header.seq),
            Step::Seal(_) | Step::Stopped | Step::End => return Ok((scanner.at(), last)),
        }
    }
}
