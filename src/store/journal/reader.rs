//! Reading the journal while it is being written.
//!
//! A reader shares nothing with the writer but the files: it may live in another
//! thread or in another process. It reads block by block, in order, into buffers
//! that it keeps; a damaged block and a deleted segment are passed over and
//! counted, by the sequence numbers that are not there.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zstd::bulk::Decompressor;

use super::block::{Block, Header, MAX_TEXT, timestamp};
use super::scan::{Scanner, Step, Want};
use super::segments::{self, Segment};
use crate::store::error::StoreError;
use crate::store::place;

/// A walk through the journal.
pub struct Reader {
    dir: PathBuf,
    open: Option<Open>,
    left: Option<Left>,
    // Sequence of the last block given out or passed over.
    last: u64,
    // What the caller knows as the last one.
    given: u64,
    unpacker: Decompressor<'static>,
    damaged: u64,
    missing: u64,
}

struct Open {
    segment: Segment,
    scanner: Scanner,
    // A later segment exists, so what is in this one is all there will be.
    complete: bool,
    // Its seal was read, so it is known which block is its last.
    sealed: bool,
}

/// What a sink has still before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Field values.
    pub points: u64,
    /// The tick of the oldest block.
    pub oldest: Option<Timestamp>,
}

/// The segment that the walk has behind it.
struct Left {
    first: u64,
    // Its seal said which block is its last.
    sealed: bool,
}

/// Which blocks a walk is after.
#[derive(Clone, Copy)]
struct Filter {
    upto: u64,
    from_ms: i64,
    until_ms: i64,
}

impl Reader {
    /// A reader of the store in `dir`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Absent`] where there is no journal,
    /// [`StoreError::NewerVersion`] where this program cannot read it.
    pub fn new(dir: &Path) -> Result<Self, StoreError> {
        place::check_version(dir)?;
        let journal = place::journal_dir(dir);
        if !journal.is_dir() {
            return Err(StoreError::Absent { path: journal });
        }
        Self::of(journal)
    }

    /// A reader of a folder of segment files.
    pub(super) fn of(dir: PathBuf) -> Result<Self, StoreError> {
        let unpacker = Decompressor::new().map_err(StoreError::io(&dir))?;
        Ok(Self {
            dir,
            open: None,
            left: None,
            last: 0,
            given: 0,
            unpacker,
            damaged: 0,
            missing: 0,
        })
    }

    /// The first block after `seq`, not past `upto`; `None` if there is none yet.
    ///
    /// Asking for one block after the other reads each byte once. A sink passes
    /// the committed sequence as `upto`: what is not durable does not go out.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`]; the next call goes on from the same place.
    pub fn next_after(&mut self, seq: u64, upto: Option<u64>) -> Result<Option<Block>, StoreError> {
        let mut block = Block::default();
        Ok(self.read_after(seq, upto, &mut block)?.then_some(block))
    }

    /// As [`Self::next_after`], into a block whose buffer is used again.
    ///
    /// # Errors
    ///
    /// As [`Self::next_after`]; `block` is then unspecified.
    pub fn read_after(
        &mut self,
        seq: u64,
        upto: Option<u64>,
        block: &mut Block,
    ) -> Result<bool, StoreError> {
        let filter = Filter {
            upto: upto.unwrap_or(u64::MAX),
            from_ms: i64::MIN,
            until_ms: i64::MAX,
        };
        self.read(seq, filter, block)
    }

    /// The first block after `seq` whose tick lies in `[from, until)`.
    ///
    /// Blocks outside are passed over by their headers, whole segments by their
    /// seals. The lines of a block may be older than its tick: readings that
    /// waited for a trusted clock, intervals, which carry the time of their start.
    ///
    /// # Errors
    ///
    /// As [`Self::next_after`].
    pub fn next_between(
        &mut self,
        seq: u64,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Block>, StoreError> {
        let filter = Filter {
            upto: u64::MAX,
            from_ms: from.as_millisecond(),
            until_ms: until.as_millisecond(),
        };
        let mut block = Block::default();
        Ok(self.read(seq, filter, &mut block)?.then_some(block))
    }

    /// Blocks passed over because they are damaged.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Blocks passed over because their segments are deleted.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Ticks of the oldest and the newest block that there is: the kept period.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn period(&self) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        period(&self.dir)
    }

    /// Tick of the oldest block that there is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(oldest(&self.dir, &segments::list(&self.dir)?)?.map(timestamp))
    }

    /// Tick of the newest block that there is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn newest(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.period()?.map(|(_, newest)| newest))
    }

    /// What lies behind `seq`: how many points, and the tick of the oldest block.
    ///
    /// Reads the seals of full segments and the headers of the others, so it is
    /// for the start of a sink, which then counts for itself.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn backlog(&self, seq: u64) -> Result<Backlog, StoreError> {
        let segments = segments::list(&self.dir)?;
        let from = segments
            .partition_point(|segment| segment.first <= seq.saturating_add(1))
            .saturating_sub(1);
        let mut backlog = Backlog::default();
        for segment in segments.iter().skip(from) {
            match segments::after(&segment.path, segment.first, seq) {
                Ok((points, oldest_ms)) => {
                    backlog.points = backlog.points.saturating_add(points);
                    backlog.oldest = backlog.oldest.or(oldest_ms.map(timestamp));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(error) => return Err(StoreError::io(&segment.path)(error)),
            }
        }
        Ok(backlog)
    }

    fn read(&mut self, seq: u64, filter: Filter, block: &mut Block) -> Result<bool, StoreError> {
        if seq != self.given {
            // Somebody jumps: the walk begins anew at the segment that has it.
            self.open = None;
            self.left = None;
            self.last = seq;
            self.given = seq;
        }
        loop {
            if self.open.is_none() && !self.open_next(&filter)? {
                return Ok(false);
            }
            let Some(open) = &mut self.open else {
                return Ok(false);
            };
            let (mut last, mut damaged) = (self.last, self.damaged);
            let step = open.scanner.step(|header| {
                if header.seq <= last {
                    return Want::Skip;
                }
                if header.seq > filter.upto {
                    return Want::Stop;
                }
                if filter.holds(header) {
                    return Want::Read;
                }
                damaged = damaged.saturating_add(header.seq - last - 1);
                last = header.seq;
                Want::Skip
            });
            let step = step.map_err(StoreError::io(&open.segment.path));
            (self.last, self.damaged) = (last, damaged);
            match step? {
                Step::Block(header) => {
                    self.lose_until(header.seq - 1);
                    if self.unpack(&header, block) {
                        self.last = header.seq;
                        self.given = header.seq;
                        return Ok(true);
                    }
                    self.lose_until(header.seq);
                }
                Step::Stopped => return Ok(false),
                Step::Seal(summary) => {
                    open.sealed = true;
                    self.lose_until(summary.last_seq);
                    if !self.leave_segment()? {
                        return Ok(false);
                    }
                }
                Step::End => {
                    if !self.leave_segment()? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Counts the blocks after the last one, up to `seq`, as damaged.
    fn lose_until(&mut self, seq: u64) {
        let lost = seq.saturating_sub(self.last);
        self.damaged = self.damaged.saturating_add(lost);
        self.last = self.last.max(seq);
    }

    /// At the end of a segment: true if there is more to read.
    fn leave_segment(&mut self) -> Result<bool, StoreError> {
        let Some(open) = &mut self.open else {
            return Ok(true);
        };
        let (first, sealed) = (open.segment.first, open.sealed);
        if open.complete {
            self.open = None;
            self.left = Some(Left { first, sealed });
            return Ok(true);
        }
        if segments::list(&self.dir)?
            .last()
            .is_some_and(|newest| newest.first > first)
        {
            // The writer may have added to this one before it began the next: one
            // more look, then it is done.
            open.complete = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// Opens the segment behind the one just left, or the one that has the block
    /// after `last`.
    fn open_next(&mut self, filter: &Filter) -> Result<bool, StoreError> {
        let segments = segments::list(&self.dir)?;
        let wanted = self.last.saturating_add(1);
        let from = match &self.left {
            Some(left) => segments.partition_point(|segment| segment.first <= left.first),
            None => segments
                .partition_point(|segment| segment.first <= wanted)
                .saturating_sub(1),
        };
        let mut rest = segments.get(from..).unwrap_or_default().iter().peekable();
        while let Some(segment) = rest.next() {
            let complete = rest.peek().is_some();
            let scanner = match Scanner::open(&segment.path) {
                Ok(scanner) => scanner,
                // Deleted since the folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::io(&segment.path)(error)),
            };
            self.enter(segment.first);
            if complete && self.skips_whole(segment, filter)? {
                continue;
            }
            self.open = Some(Open {
                segment: segment.clone(),
                scanner,
                complete,
                sealed: false,
            });
            return Ok(true);
        }
        Ok(false)
    }

    /// Counts what is not there in front of a segment.
    fn enter(&mut self, first: u64) {
        let before = first.saturating_sub(1);
        if self.left.as_ref().is_some_and(|left| !left.sealed) {
            // The end of the segment before is broken: its blocks were there.
            self.lose_until(before);
        } else {
            let gone = before.saturating_sub(self.last);
            self.missing = self.missing.saturating_add(gone);
            self.last = self.last.max(before);
        }
    }

    /// Whether the seal of a complete segment says that no tick in it is wanted;
    /// then it counts as read.
    fn skips_whole(&mut self, segment: &Segment, filter: &Filter) -> Result<bool, StoreError> {
        if filter.from_ms == i64::MIN && filter.until_ms == i64::MAX {
            return Ok(false);
        }
        let summary = segments::summary(&segment.path).map_err(StoreError::io(&segment.path))?;
        let Some(summary) = summary else {
            return Ok(false);
        };
        let outside = summary.last_at_ms < filter.from_ms || summary.first_at_ms >= filter.until_ms;
        if outside {
            self.last = self.last.max(summary.last_seq);
            self.left = Some(Left {
                first: segment.first,
                sealed: true,
            });
        }
        Ok(outside)
    }

    /// Unpacks the payload of the block that the scanner stands behind.
    fn unpack(&mut self, header: &Header, block: &mut Block) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let len = usize::try_from(header.text_len).unwrap_or(usize::MAX);
        if len > MAX_TEXT {
            return false;
        }
        let mut bytes = std::mem::take(&mut block.text).into_bytes();
        bytes.clear();
        bytes.reserve(len);
        let unpacked = self
            .unpacker
            .decompress_to_buffer(open.scanner.payload(), &mut bytes);
        match (unpacked, String::from_utf8(bytes)) {
            (Ok(got), Ok(text)) if got == len => {
                *block = Block {
                    seq: header.seq,
                    at: timestamp(header.at_ms),
                    points: header.points,
                    lines: header.lines,
                    text,
                };
                true
            }
            _ => false,
        }
    }
}

impl Filter {
    fn holds(&self, header: &Header) -> bool {
        header.at_ms >= self.from_ms && header.at_ms < self.until_ms
    }
}

/// Ticks of the oldest and the newest block in a folder.
fn period(dir: &Path) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let segments = segments::list(dir)?;
    let Some(oldest) = oldest(dir, &segments)? else {
        return Ok(None);
    };
    for segment in segments.iter().rev() {
        match segments::summary(&segment.path) {
            Ok(Some(summary)) => {
                return Ok(Some((timestamp(oldest), timestamp(summary.last_at_ms))));
            }
            Ok(None) => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => return Err(StoreError::io(&segment.path)(error)),
        }
    }
    Ok(None)
}

/// Tick of the first block that can be recognised.
pub(super) fn oldest(dir: &Path, segments: &[Segment]) -> Result<Option<i64>, StoreError> {
    for segment in segments {
        let mut first = None;
        let stepped = Scanner::open(&segment.path).and_then(|mut scanner| {
            scanner.step(|header| {
                first = Some(header.at_ms);
                Want::Stop
            })
        });
        match stepped {
            Ok(_) if first.is_some() => return Ok(first),
            Ok(_) => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => return Err(StoreError::io(dir)(error)),
        }
    }
    Ok(None)
}
