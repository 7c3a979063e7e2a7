//! Walking through one segment file, past whatever is broken in it.
//!
//! The walk goes from record to record. Where there is none, it looks for the
//! next mark whose checksum agrees; where there is none of those either, it
//! stands still at the end of the last whole record, so that a block which is
//! being written is found by the next attempt.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::block::{HEAD_BYTES, HEADER_BYTES, Header, MARK, Record, SEAL_BYTES, Summary};

/// How much is read at once: many small blocks, or a part of a large one.
const READ_BYTES: usize = 64 << 10;

/// What to do with a block, judged by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Read it and check its payload.
    Read,
    /// Pass over it, unread.
    Skip,
    /// Stay in front of it.
    Stop,
}

/// Where the walk has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A good block; [`Scanner::payload`] has its bytes.
    Block(Header),
    /// In front of the block that was not wanted.
    Stopped,
    /// The segment is complete.
    Seal(Summary),
    /// No whole record follows.
    End,
}

/// A walk through one segment file.
#[derive(Debug)]
pub(super) struct Scanner {
    file: File,
    // Offset in the file of the first byte of `rest`.
    at: u64,
    buffer: Vec<u8>,
    head: usize,
    payload: std::ops::Range<usize>,
}

impl Scanner {
    /// A walk from the start of a file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            at: 0,
            buffer: Vec::new(),
            head: 0,
            payload: 0..0,
        })
    }

    /// Offset behind the last record that was given out or passed over.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The payload of the block that [`Self::step`] gave out last.
    pub(super) fn payload(&self) -> &[u8] {
        self.buffer.get(self.payload.clone()).unwrap_or_default()
    }

    /// Goes on to the next block that is wanted.
    pub(super) fn step(&mut self, mut want: impl FnMut(&Header) -> Want) -> io::Result<Step> {
        self.payload = 0..0;
        if self.at == 0 && self.fill(HEAD_BYTES)? && super::block::parse_head(self.rest()).is_some()
        {
            self.advance(HEAD_BYTES);
        }
        let mut whole = self.at;
        loop {
            self.fill(SEAL_BYTES.max(HEADER_BYTES))?;
            match Record::parse(self.rest()) {
                Some(Record::Block(header)) => match want(&header) {
                    Want::Stop => {
                        self.seek(whole);
                        return Ok(Step::Stopped);
                    }
                    Want::Skip => {
                        if self.holds(header.block_bytes())? {
                            self.advance(header.block_bytes());
                            whole = self.at;
                            continue;
                        }
                    }
                    Want::Read => {
                        if self.read_payload(&header)? {
                            return Ok(Step::Block(header));
                        }
                    }
                },
                Some(Record::Seal(summary)) => {
                    self.advance(SEAL_BYTES);
                    return Ok(Step::Seal(summary));
                }
                None => (),
            }
            if !self.seek_mark() {
                self.seek(whole);
                return Ok(Step::End);
            }
        }
    }

    /// Reads the payload of the block in front; false if it is short or damaged.
    fn read_payload(&mut self, header: &Header) -> io::Result<bool> {
        let len = header.block_bytes();
        // A length that reaches past the end never makes the buffer grow.
        if !self.holds(len)? || !self.fill(len)? {
            return Ok(false);
        }
        let start = self.head.saturating_add(HEADER_BYTES);
        let range = start..self.head.saturating_add(len);
        let payload = self.buffer.get(range.clone()).unwrap_or_default();
        if crc32c::crc32c(payload) != header.payload_crc {
            return Ok(false);
        }
        self.advance(len);
        self.payload = range;
        Ok(true)
    }

    /// Moves to the next place where a record may begin; false if none is left.
    fn seek_mark(&mut self) -> bool {
        let rest = self.rest();
        if rest.len() < HEADER_BYTES {
            return false;
        }
        let next = rest
            .windows(MARK.len())
            .skip(1)
            .position(|window| window == MARK)
            .map_or(rest.len() - (MARK.len() - 1), |place| place + 1);
        self.advance(next);
        true
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.head..).unwrap_or_default()
    }

    /// Makes at least `len` bytes of [`Self::rest`] available, if the file has them.
    fn fill(&mut self, len: usize) -> io::Result<bool> {
        let have = self.buffer.len().saturating_sub(self.head);
        if have >= len {
            return Ok(true);
        }
        self.buffer.drain(..self.head.min(self.buffer.len()));
        self.head = 0;
        let mut filled = self.buffer.len();
        self.buffer.resize(len.max(READ_BYTES), 0);
        while filled < len {
            let offset = self.at + u64::try_from(filled).unwrap_or(u64::MAX);
            let space = self.buffer.get_mut(filled..).unwrap_or_default();
            match self.file.read_at(space, offset) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => {
                    self.buffer.truncate(filled);
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(filled >= len)
    }

    /// Whether the file has `len` bytes from here on.
    fn holds(&self, len: usize) -> io::Result<bool> {
        if self.rest().len() >= len {
            return Ok(true);
        }
        let end = self
            .at
            .saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(self.file.metadata()?.len() >= end)
    }

    fn advance(&mut self, len: usize) {
        self.at += u64::try_from(len).unwrap_or(u64::MAX);
        if self.rest().len() > len {
            self.head += len;
        } else if self.rest().len() == len {
            // The payload of the block just read stays in the buffer.
            self.head = self.buffer.len();
        } else {
            self.buffer.clear();
            self.head = 0;
        }
    }

    /// Goes back to `at` and forgets what was read: it may have changed since.
    fn seek(&mut self, at: u64) {
        self.at = at;
        self.buffer.clear();
        self.head = 0;
    }
}
