//! Whole blocks of the journal, joined for one request.
//!
//! A batch remembers where every row and every block ends, so any range of rows can
//! be sent alone and the cursor follows the rows that are settled. The text is the
//! journal's, byte for byte: whatever is sent twice is the same twice.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::{Block, BlockSource};

/// Rows of a request; what InfluxDB recommends.
pub const MAX_LINES: usize = 5_000;
/// Text of a request before compression; bounds the memory of a sink.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Rows on their way.
#[derive(Debug, Default)]
pub struct Batch {
    text: String,
    /// Where each row ends.
    ends: Vec<usize>,
    /// The blocks in it.
    blocks: Vec<Part>,
}

/// A block's place in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its place in the journal.
    pub seq: u64,
    /// Its tick, milliseconds since 1970.
    pub at_ms: i64,
    /// Field values in it.
    pub points: u64,
    /// Rows of the batch up to its end.
    pub end: usize,
}

impl Batch {
    /// Appends a block.
    pub fn push(&mut self, block: &Block) {
        let start = self.text.len();
        self.text.push_str(&block.text);
        if !block.text.is_empty() && !block.text.ends_with('\n') {
            self.text.push('\n');
        }
        let added = self.text.get(start..).unwrap_or("");
        let ends = added.match_indices('\n').map(|(at, _)| start + at + 1);
        self.ends.extend(ends);
        self.blocks.push(Part {
            seq: block.seq,
            at_ms: block.at_ms,
            points: u64::from(block.points),
            end: self.ends.len(),
        });
    }

    /// Whether `block` may join without leaving the bounds of a request.
    fn has_room_for(&self, block: &Block) -> bool {
        let lines = usize::try_from(block.lines).unwrap_or(usize::MAX);
        self.blocks.is_empty()
            || (self.ends.len().saturating_add(lines) <= MAX_LINES
                && self.text.len() + block.text.len() <= MAX_BYTES)
    }

    /// Rows in it.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.ends.len()
    }

    /// The blocks in it.
    #[must_use]
    pub fn blocks(&self) -> &[Part] {
        &self.blocks
    }

    /// The text of some rows.
    #[must_use]
    pub fn rows(&self, rows: &Range<usize>) -> &str {
        let start = self.start(rows.start);
        let end = self.start(rows.end);
        self.text.get(start..end).unwrap_or("")
    }

    /// The batch without the rows for which `why` has words, and these rows with theirs.
    #[must_use]
    pub fn without(&self, why: impl Fn(&str) -> Option<String>) -> (Self, Vec<(String, String)>) {
        let (mut rest, mut out) = (Self::default(), Vec::new());
        let mut row = 0;
        for part in &self.blocks {
            while row < part.end {
                let text = self.rows(&(row..row + 1));
                match why(text) {
                    Some(words) => out.push((text.to_owned(), words)),
                    None => {
                        rest.text.push_str(text);
                        rest.ends.push(rest.text.len());
                    }
                }
                row += 1;
            }
            let end = rest.ends.len();
            rest.blocks.push(Part { end, ..*part });
        }
        (rest, out)
    }

    /// How many rows from `from` on are within `bytes` and [`MAX_LINES`].
    #[must_use]
    pub fn fits(&self, from: usize, bytes: usize) -> usize {
        let limit = self.start(from).saturating_add(bytes);
        let end = self.ends.partition_point(|end| *end <= limit);
        end.saturating_sub(from).min(MAX_LINES)
    }

    fn start(&self, row: usize) -> usize {
        match row.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(self.text.len()),
            None => 0,
        }
    }
}

/// Reads blocks and packs rows; lives on a blocking thread while it works.
pub struct Desk<S> {
    source: S,
    /// A block that was read and had no room.
    carry: Option<Block>,
    gzip: Gzip,
}

/// A batch and what still lies behind it.
pub struct Fetched {
    /// The rows to send; none where no block was found.
    pub batch: Option<Batch>,
    /// Field values after the last block read and not after the newest.
    pub points_behind: u64,
}

impl<S: BlockSource> Desk<S> {
    /// A desk in front of a journal.
    pub fn new(source: S) -> Self {
        Self {
            source,
            carry: None,
            gzip: Gzip::default(),
        }
    }

    /// Joins the blocks after `seq` and not after `upto`, up to the size of a
    /// request, and counts what follows `counted`.
    ///
    /// # Errors
    ///
    /// What the journal's disk says.
    pub fn fetch(&mut self, seq: u64, upto: u64, counted: u64) -> io::Result<Fetched> {
        let mut batch = Batch::default();
        let mut last = seq;
        loop {
            let block = match self.carry.take().filter(|block| block.seq > last) {
                Some(block) => block,
                None => match self.source.next_after(last, upto)? {
                    Some(block) => block,
                    None => break,
                },
            };
            if !batch.has_room_for(&block) {
                self.carry = Some(block);
                break;
            }
            last = block.seq;
            batch.push(&block);
        }
        let from = last.max(counted);
        Ok(Fetched {
            batch: (!batch.blocks.is_empty()).then_some(batch),
            points_behind: self.count(from, upto)?,
        })
    }

    /// Field values after `seq` and not after `upto`.
    ///
    /// # Errors
    ///
    /// What the journal's disk says.
    pub fn count(&mut self, seq: u64, upto: u64) -> io::Result<u64> {
        if seq >= upto {
            return Ok(0);
        }
        self.source.points_between(seq, upto)
    }

    /// Compresses some rows.
    ///
    /// # Errors
    ///
    /// None that is known; the compressor's own.
    pub fn pack(&mut self, text: &str) -> io::Result<Bytes> {
        self.gzip.pack(text.as_bytes())
    }
}

/// A compressor that keeps its memory. Level 1: a tenth of the size for little work.
struct Gzip(Compress);

impl Default for Gzip {
    fn default() -> Self {
        Self(Compress::new_gzip(Compression::new(1), 15))
    }
}

impl Gzip {
    fn pack(&mut self, text: &[u8]) -> io::Result<Bytes> {
        self.0.reset();
        let mut out = Vec::with_capacity(text.len() / 8 + 1_024);
        let mut rest = text;
        loop {
            let before = self.0.total_in();
            let status = self.0.compress_vec(rest, &mut out, FlushCompress::Finish)?;
            let read = usize::try_from(self.0.total_in() - before).map_err(io::Error::other)?;
            rest = rest.get(read..).unwrap_or(&[]);
            if status == Status::StreamEnd {
                return Ok(out.into());
            }
            out.reserve(out.capacity());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn block(seq: u64, rows: u32) -> Block {
        let text: String = (0..rows).map(|row| format!("m a={row}i {seq}\n")).collect();
        Block {
            seq,
            at_ms: i64::try_from(seq).unwrap() * 1_000,
            lines: rows,
            points: rows,
            text,
        }
    }

    struct Blocks(Vec<Block>);

    impl BlockSource for Blocks {
        fn another(&self) -> Self {
            Self(self.0.clone())
        }

        fn next_after(&mut self, seq: u64, upto: u64) -> io::Result<Option<Block>> {
            let fits = |block: &&Block| block.seq > seq && block.seq <= upto;
            Ok(self.0.iter().find(fits).cloned())
        }
    }

    #[test]
    fn whole_blocks_are_joined_up_to_the_size_of_a_request() {
        let mut desk = Desk::new(Blocks((1..=7).map(|seq| block(seq, 2_000)).collect()));
        let seqs = |batch: &Batch| batch.blocks.iter().map(|part| part.seq).collect::<Vec<_>>();
        let first = desk.fetch(0, 7, 0).unwrap();
        let batch = first.batch.unwrap();
        assert_eq!((seqs(&batch), batch.lines()), (vec![1, 2], 4_000));
        assert_eq!(first.points_behind, 10_000);
        let second = desk.fetch(2, 7, 7).unwrap();
        assert_eq!(seqs(&second.batch.unwrap()), [3, 4]);
        assert_eq!(second.points_behind, 0);
        assert!(desk.fetch(7, 7, 7).unwrap().batch.is_none());
    }

    #[test]
    fn a_block_beyond_the_size_of_a_request_goes_alone_and_is_cut_between_rows() {
        let mut desk = Desk::new(Blocks(vec![block(1, 12_000)]));
        let batch = desk.fetch(0, 1, 0).unwrap().batch.unwrap();
        assert_eq!(batch.lines(), 12_000);
        assert_eq!(batch.fits(0, MAX_BYTES), 5_000);
        assert_eq!(batch.fits(10_000, MAX_BYTES), 2_000);
        let one = batch.rows(&(0..1)).len();
        assert_eq!(batch.fits(0, 3 * one), 3);
        assert_eq!(batch.fits(0, 1), 0);
        assert_eq!(batch.rows(&(11_999..12_000)), "m a=11999i 1\n");
    }

    #[test]
    fn rows_are_taken_out_of_a_batch_and_its_blocks_stay() {
        let mut batch = Batch::default();
        for seq in 1..=3 {
            batch.push(&block(seq, 2));
        }
        let (rest, out) = batch.without(|row| row.contains(" 2\n").then(|| "no".to_owned()));
        assert_eq!(
            rest.rows(&(0..4)),
            "m a=0i 1\nm a=1i 1\nm a=0i 3\nm a=1i 3\n"
        );
        let ends: Vec<_> = rest
            .blocks()
            .iter()
            .map(|part| (part.seq, part.end))
            .collect();
        assert_eq!(ends, [(1, 2), (2, 2), (3, 4)]);
        let rows: Vec<_> = out.iter().map(|(row, _)| row.as_str()).collect();
        assert_eq!(rows, ["m a=0i 2\n", "m a=1i 2\n"]);
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same_bytes_time_and_again() {
        let mut desk = Desk::new(Blocks(vec![]));
        for rows in [0, 1, 5_000, 3] {
            let text = block(9, rows).text;
            let packed = desk.pack(&text).unwrap();
            let mut back = String::new();
            flate2::read::GzDecoder::new(&packed[..])
                .read_to_string(&mut back)
                .unwrap();
            assert_eq!(back, text);
            assert_eq!(desk.pack(&text).unwrap(), packed);
        }
    }
}
