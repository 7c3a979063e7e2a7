//! The journal: every reading and every balance, append-only, on the box's own disk.
//!
//! ```text
//! DIR/journal/00000000000000000001.seg   head, block, block, …, seal
//! DIR/journal/00000000000000004711.seg   head, block, block ◀── appended here
//! ```
//!
//! A block is one batch of line protocol: compressed, numbered without gaps,
//! with checksums of its own ([`block`] has the bytes). It is durable when
//! [`Journal::append`] returns. A segment is named after its first block and is
//! deleted as a whole, the oldest first ([`retain`]).
//!
//! **A record that is torn or damaged costs that record and no more.** Opening
//! always succeeds on whatever content there is: a torn end is cut off, damage
//! in the middle is passed over, both counted. Only the last segment is read at
//! the start, so the start is quick however much is kept.

pub mod block;
pub mod reader;
pub mod retain;
mod scan;
mod segments;
pub mod verify;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zstd::bulk::Compressor;

pub use block::Block;
pub use reader::Reader;

use self::block::{Header, MAX_TEXT, SEGMENT_VERSION, Summary, timestamp};
use self::scan::{Scanner, Step, Want};
use self::segments::Segment;
use super::error::StoreError;
use super::place::sync_dir;

/// Length at which a segment is full: some minutes of a large park, so that the
/// start reads it in a moment and retention frees little steps.
pub const SEGMENT_BYTES: u64 = 8 << 20;

/// Compression level: the cheapest; line protocol shrinks to a fifth with it.
const LEVEL: i32 = 1;

/// What opening found broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Damage {
    /// Torn ends that were cut off: the block that was being written.
    pub torn: u64,
    /// Bytes of them.
    pub torn_bytes: u64,
    /// Blocks of the last segment that are not readable.
    pub damaged: u64,
}

/// The writing end of the journal. One per store: the lock of the store sees to it.
pub struct Journal {
    dir: PathBuf,
    limit: u64,
    // Segments that are complete, oldest first, and the one that is appended to.
    complete: Vec<Complete>,
    active: Option<Active>,
    next_seq: u64,
    newest_ms: Option<i64>,
    damage: Damage,
    packer: Compressor<'static>,
    buffer: Vec<u8>,
}

/// A segment that nothing is appended to any more.
#[derive(Debug)]
struct Complete {
    segment: Segment,
    bytes: u64,
    // Read when retention first asks.
    summary: Option<Summary>,
}

/// The segment that is appended to.
#[derive(Debug)]
struct Active {
    segment: Segment,
    file: File,
    // Everything before it is on disk and whole.
    durable: u64,
    // None while the segment holds no block.
    summary: Option<Summary>,
    // A write failed: what lies behind `durable` has to go first.
    broken: bool,
}

impl Journal {
    /// Opens the journal in a folder that exists. Blocks get sequences above
    /// `floor`, whatever became of the blocks that had them: a cursor that is past
    /// a lost block would never see another one in its place.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where files cannot be read or cut, never for what is in
    /// them; [`StoreError::NewerVersion`] for segments that a newer version wrote.
    pub fn open(dir: &Path, limit: u64, floor: u64) -> Result<Self, StoreError> {
        let mut journal = Self {
            dir: dir.to_owned(),
            limit,
            complete: Vec::new(),
            active: None,
            next_seq: floor.saturating_add(1),
            newest_ms: None,
            damage: Damage::default(),
            packer: Compressor::new(LEVEL).map_err(StoreError::io(dir))?,
            buffer: Vec::new(),
        };
        let mut segments = segments::list(dir)?;
        // An end without a single block is a torn one: the segment before counts.
        while let Some(last) = segments.pop() {
            if journal.recover(last)? {
                break;
            }
        }
        for segment in segments {
            let bytes = fs::metadata(&segment.path)
                .map_err(StoreError::io(&segment.path))?
                .len();
            journal.complete.push(Complete {
                segment,
                bytes,
                summary: None,
            });
        }
        // The recovered one was pushed first if it is sealed; it is the newest.
        journal
            .complete
            .sort_by_key(|complete| complete.segment.first);
        Ok(journal)
    }

    /// Reads the last segment and cuts its torn end; false if nothing is in it.
    fn recover(&mut self, segment: Segment) -> Result<bool, StoreError> {
        let path = segment.path.clone();
        let io = || StoreError::io(&path);
        check_segment_version(&path)?;
        let mut scanner = Scanner::open(&path).map_err(io())?;
        let mut summary: Option<Summary> = None;
        let sealed = loop {
            let last = summary.map_or(segment.first.saturating_sub(1), |sum| sum.last_seq);
            let step = scanner.step(|header| {
                if header.seq > last {
                    Want::Read
                } else {
                    Want::Skip
                }
            });
            match step.map_err(io())? {
                Step::Block(header) => {
                    self.damage.damaged += header.seq - last - 1;
                    match &mut summary {
                        Some(sum) => sum.add(&header),
                        None => summary = Some(Summary::of(&header)),
                    }
                }
                Step::Seal(_) => break true,
                Step::Stopped | Step::End => break false,
            }
        };
        let whole = scanner.at();
        let file = File::options().write(true).open(&path).map_err(io())?;
        let len = file.metadata().map_err(io())?.len();
        let torn = len.saturating_sub(whole);
        if torn > 0 {
            self.damage.torn += 1;
            self.damage.torn_bytes = self.damage.torn_bytes.saturating_add(torn);
        }
        let Some(sum) = summary else {
            self.next_seq = self.next_seq.max(segment.first);
            fs::remove_file(&path).map_err(io())?;
            sync_dir(&self.dir).map_err(StoreError::io(&self.dir))?;
            return Ok(false);
        };
        self.next_seq = self.next_seq.max(sum.last_seq.saturating_add(1));
        self.newest_ms = Some(sum.last_at_ms);
        if torn > 0 {
            file.set_len(whole).map_err(io())?;
            file.sync_all().map_err(io())?;
        }
        if sealed {
            self.complete.push(Complete {
                segment,
                bytes: whole,
                summary,
            });
        } else {
            self.active = Some(Active {
                segment,
                file,
                durable: whole,
                summary,
                broken: false,
            });
        }
        Ok(true)
    }

    /// Appends a batch of line protocol; when it returns, the batch is on disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the disk refuses (full, read-only, broken): then the
    /// batch is not in the journal, everything before it is, and the next call
    /// repairs what this one left. [`StoreError::TooLarge`] beyond [`MAX_TEXT`].
    pub fn append(
        &mut self,
        at: Timestamp,
        lines: u32,
        points: u32,
        text: &str,
    ) -> Result<u64, StoreError> {
        self.repair()?;
        let header = self.pack(at, lines, points, text)?;
        self.make_room(len_u64(self.buffer.len()))?;
        let first_in_segment = self.active.is_none();
        let active = match &mut self.active {
            Some(active) => active,
            none => none.insert(create_segment(&self.dir, header.seq)?),
        };
        if active.durable == 0 {
            let mut head = Vec::new();
            block::write_head(active.segment.first, &mut head);
            self.buffer.splice(0..0, head);
        }
        let written = active
            .file
            .write_all_at(&self.buffer, active.durable)
            .and_then(|()| active.file.sync_data())
            .and_then(|()| {
                if first_in_segment {
                    sync_dir(&self.dir)
                } else {
                    Ok(())
                }
            });
        if let Err(source) = written {
            active.broken = true;
            return Err(StoreError::Io {
                path: active.segment.path.clone(),
                source,
            });
        }
        active.durable += len_u64(self.buffer.len());
        match &mut active.summary {
            Some(sum) => sum.add(&header),
            None => active.summary = Some(Summary::of(&header)),
        }
        self.newest_ms = self.newest_ms.max(Some(header.at_ms));
        self.next_seq = header.seq.saturating_add(1);
        Ok(header.seq)
    }

    /// Puts header and payload of the next block into the buffer.
    fn pack(
        &mut self,
        at: Timestamp,
        lines: u32,
        points: u32,
        text: &str,
    ) -> Result<Header, StoreError> {
        let too_large = || StoreError::TooLarge {
            bytes: text.len(),
            most: MAX_TEXT,
        };
        if text.len() > MAX_TEXT {
            return Err(too_large());
        }
        self.buffer.clear();
        self.buffer
            .reserve(zstd::zstd_safe::compress_bound(text.len()) + block::HEADER_BYTES);
        self.packer
            .compress_to_buffer(text.as_bytes(), &mut self.buffer)
            .map_err(StoreError::io(&self.dir))?;
        let header = Header {
            seq: self.next_seq,
            at_ms: at.as_millisecond(),
            lines,
            points,
            text_len: u32::try_from(text.len()).map_err(|_| too_large())?,
            payload_len: u32::try_from(self.buffer.len()).map_err(|_| too_large())?,
            payload_crc: crc32c::crc32c(&self.buffer),
        };
        let mut head = Vec::with_capacity(block::HEADER_BYTES);
        header.write(&mut head);
        self.buffer.splice(0..0, head);
        Ok(header)
    }

    /// Begins a new segment where the active one cannot take `len` bytes more.
    fn make_room(&mut self, len: u64) -> Result<(), StoreError> {
        let seal_len = len_u64(block::SEAL_BYTES);
        let full = |active: &Active| {
            active.summary.is_some()
                && active.durable.saturating_add(len).saturating_add(seal_len) > self.limit
        };
        let Some(active) = self.active.as_mut().filter(|active| full(active)) else {
            return Ok(());
        };
        let Some(summary) = active.summary else {
            return Ok(());
        };
        let mut seal = Vec::new();
        summary.write(&mut seal);
        // The seal saves reading the segment; it needs no sync of its own, because
        // without it the segment is read instead.
        if let Err(source) = active.file.write_all_at(&seal, active.durable) {
            active.broken = true;
            return Err(StoreError::Io {
                path: active.segment.path.clone(),
                source,
            });
        }
        if let Some(active) = self.active.take() {
            self.complete.push(Complete {
                bytes: active.durable.saturating_add(seal_len),
                segment: active.segment,
                summary: active.summary,
            });
        }
        Ok(())
    }

    /// Cuts off what a failed write left behind.
    fn repair(&mut self) -> Result<(), StoreError> {
        let Some(active) = self.active.as_mut().filter(|active| active.broken) else {
            return Ok(());
        };
        let path = active.segment.path.clone();
        // After a failed sync nobody knows which pages of the old handle are clean.
        let file = File::options()
            .write(true)
            .open(&path)
            .map_err(StoreError::io(&path))?;
        file.set_len(active.durable)
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_dir(&self.dir))
            .map_err(StoreError::io(&path))?;
        active.file = file;
        active.broken = false;
        Ok(())
    }

    /// Sequence of the last block; that of the floor in an empty journal.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// The latest tick in the journal.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest_ms.map(timestamp)
    }

    /// The tick of the oldest block.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        let segments: Vec<Segment> = self
            .complete
            .iter()
            .map(|complete| &complete.segment)
            .chain(self.active.iter().map(|active| &active.segment))
            .cloned()
            .collect();
        Ok(reader::oldest(&self.dir, &segments)?.map(timestamp))
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let active = self.active.as_ref().map_or(0, |active| active.durable);
        self.complete
            .iter()
            .map(|complete| complete.bytes)
            .fold(active, u64::saturating_add)
    }

    /// How many segments there are.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.complete.len() + usize::from(self.active.is_some())
    }

    /// What opening found broken.
    #[must_use]
    pub fn damage(&self) -> Damage {
        self.damage
    }
}

fn create_segment(dir: &Path, first: u64) -> Result<Active, StoreError> {
    let path = segments::path(dir, first);
    let file = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .map_err(StoreError::io(&path))?;
    Ok(Active {
        segment: Segment { first, path },
        file,
        durable: 0,
        summary: None,
        broken: false,
    })
}

/// Refuses a segment that a newer version wrote; a damaged head says nothing.
fn check_segment_version(path: &Path) -> Result<(), StoreError> {
    let mut head = [0; block::HEAD_BYTES];
    let file = File::open(path).map_err(StoreError::io(path))?;
    match file.read_exact_at(&mut head, 0) {
        Ok(()) => (),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        Err(source) => {
            return Err(StoreError::Io {
                path: path.to_owned(),
                source,
            });
        }
    }
    match block::parse_head(&head) {
        Some(found) if found > SEGMENT_VERSION => Err(StoreError::NewerVersion {
            path: path.to_owned(),
            found: found.into(),
            known: SEGMENT_VERSION.into(),
        }),
        _ => Ok(()),
    }
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
