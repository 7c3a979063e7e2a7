//! The bytes of the journal: what a segment file is made of.
//!
//! ```text
//! segment   head, block, block, …, seal        (the seal only once it is full)
//! head      "SUNLSEG1"  version u32  first seq u64  crc u32
//! block     E7 53 4C 1B  payload length u32  seq u64  at i64 (ms)  lines u32
//!           points u32  text length u32  payload crc u32  crc u32  payload
//! seal      E7 53 4C 1C  last seq u64  blocks u32  lines u64  points u64
//!           first at i64  last at i64  crc u32
//! ```
//!
//! Numbers are little-endian. Each crc is CRC-32C of the record's bytes before
//! it; the payload is line protocol under zstd and has its own. So a header can
//! be trusted without its payload: damage costs the block that it hits, and
//! reading resumes at the next magic whose crc agrees.

use jiff::Timestamp;

/// Where a record may begin: what blocks and seals have in common.
pub(super) const MARK: [u8; 3] = [0xE7, b'S', b'L'];
const BLOCK: u8 = 0x1B;
const SEAL: u8 = 0x1C;
const SEGMENT: [u8; 8] = *b"SUNLSEG1";
/// The version of segment files that this program writes.
pub(super) const SEGMENT_VERSION: u32 = 1;

/// Length of a segment's head.
pub(super) const HEAD_BYTES: usize = 24;
/// Length of a block without its payload.
pub(super) const HEADER_BYTES: usize = 44;
/// Length of a seal.
pub(super) const SEAL_BYTES: usize = 52;
/// The most text in one block: a hundred times what a thousand meters say in a
/// second, and little enough to be read on the smallest box.
pub const MAX_TEXT: usize = 64 << 20;

/// What a block says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its place in the journal, without gaps.
    pub seq: u64,
    /// The tick that wrote it.
    pub at_ms: i64,
    /// Lines of line protocol.
    pub lines: u32,
    /// Field values in them.
    pub points: u32,
    /// Length of the text.
    pub text_len: u32,
    /// Length of the payload.
    pub payload_len: u32,
    /// Checksum of the payload.
    pub payload_crc: u32,
}

impl Header {
    /// Length of the whole block.
    pub(super) fn block_bytes(&self) -> usize {
        HEADER_BYTES.saturating_add(usize::try_from(self.payload_len).unwrap_or(usize::MAX))
    }

    /// Appends the header to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(MARK);
        out.push(BLOCK);
        out.extend(self.payload_len.to_le_bytes());
        out.extend(self.seq.to_le_bytes());
        out.extend(self.at_ms.to_le_bytes());
        out.extend(self.lines.to_le_bytes());
        out.extend(self.points.to_le_bytes());
        out.extend(self.text_len.to_le_bytes());
        out.extend(self.payload_crc.to_le_bytes());
        write_crc(out, start);
    }
}

/// What a full segment says of itself at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Sequence of its last block.
    pub last_seq: u64,
    /// Blocks in it.
    pub blocks: u32,
    /// Lines in them.
    pub lines: u64,
    /// Field values in them.
    pub points: u64,
    /// The earliest tick.
    pub first_at_ms: i64,
    /// The latest tick.
    pub last_at_ms: i64,
}

impl Summary {
    /// The summary of one block.
    pub(super) fn of(header: &Header) -> Self {
        Self {
            last_seq: header.seq,
            blocks: 1,
            lines: u64::from(header.lines),
            points: u64::from(header.points),
            first_at_ms: header.at_ms,
            last_at_ms: header.at_ms,
        }
    }

    /// One block more.
    pub(super) fn add(&mut self, header: &Header) {
        self.last_seq = header.seq;
        self.blocks = self.blocks.saturating_add(1);
        self.lines = self.lines.saturating_add(u64::from(header.lines));
        self.points = self.points.saturating_add(u64::from(header.points));
        self.first_at_ms = self.first_at_ms.min(header.at_ms);
        self.last_at_ms = self.last_at_ms.max(header.at_ms);
    }

    /// Appends the seal to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(MARK);
        out.push(SEAL);
        out.extend(self.last_seq.to_le_bytes());
        out.extend(self.blocks.to_le_bytes());
        out.extend(self.lines.to_le_bytes());
        out.extend(self.points.to_le_bytes());
        out.extend(self.first_at_ms.to_le_bytes());
        out.extend(self.last_at_ms.to_le_bytes());
        write_crc(out, start);
    }

    /// The seal at the start of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::checked(bytes, SEAL_BYTES)?;
        (fields.take::<4>()? == mark(SEAL)).then_some(())?;
        Some(Self {
            last_seq: u64::from_le_bytes(fields.take()?),
            blocks: u32::from_le_bytes(fields.take()?),
            lines: u64::from_le_bytes(fields.take()?),
            points: u64::from_le_bytes(fields.take()?),
            first_at_ms: i64::from_le_bytes(fields.take()?),
            last_at_ms: i64::from_le_bytes(fields.take()?),
        })
    }
}

/// A record of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// A block follows.
    Block(Header),
    /// The segment is complete.
    Seal(Summary),
}

impl Record {
    /// The record at the start of `bytes`, if its checksum agrees.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let start = bytes.first_chunk::<4>()?;
        if *start == mark(BLOCK) {
            parse_header(bytes).map(Self::Block)
        } else if *start == mark(SEAL) {
            Summary::parse(bytes).map(Self::Seal)
        } else {
            None
        }
    }
}

fn parse_header(bytes: &[u8]) -> Option<Header> {
    let mut fields = Fields::checked(bytes, HEADER_BYTES)?;
    fields.take::<4>()?;
    Some(Header {
        payload_len: u32::from_le_bytes(fields.take()?),
        seq: u64::from_le_bytes(fields.take()?),
        at_ms: i64::from_le_bytes(fields.take()?),
        lines: u32::from_le_bytes(fields.take()?),
        points: u32::from_le_bytes(fields.take()?),
        text_len: u32::from_le_bytes(fields.take()?),
        payload_crc: u32::from_le_bytes(fields.take()?),
    })
}

/// Appends the head of a segment to `out`.
pub(super) fn write_head(first_seq: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(SEGMENT);
    out.extend(SEGMENT_VERSION.to_le_bytes());
    out.extend(first_seq.to_le_bytes());
    write_crc(out, start);
}

/// The version in the head of a segment, if it is whole.
pub(super) fn parse_head(bytes: &[u8]) -> Option<u32> {
    let mut fields = Fields::checked(bytes, HEAD_BYTES)?;
    (fields.take::<8>()? == SEGMENT).then_some(())?;
    Some(u32::from_le_bytes(fields.take()?))
}

fn mark(kind: u8) -> [u8; 4] {
    let [a, b, c] = MARK;
    [a, b, c, kind]
}

fn write_crc(out: &mut Vec<u8>, start: usize) {
    let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend(crc.to_le_bytes());
}

/// The fields of a record, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of a record of `len` bytes whose last four are its checksum.
    fn checked(bytes: &'a [u8], len: usize) -> Option<Self> {
        let (fields, crc) = bytes.get(..len)?.split_last_chunk::<4>()?;
        (crc32c::crc32c(fields) == u32::from_le_bytes(*crc)).then_some(Self(fields))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

/// A block as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its place in the journal.
    pub seq: u64,
    /// The tick that wrote it.
    pub at: Timestamp,
    /// Field values in it.
    pub points: u32,
    /// Lines in it.
    pub lines: u32,
    /// Line protocol, times in milliseconds.
    pub text: String,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            points: 0,
            lines: 0,
            text: String::new(),
        }
    }
}

/// A time in milliseconds; what no calendar holds is its nearest end.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_length_that_the_map_says_and_read_back() {
        let header = Header {
            seq: 7,
            at_ms: -5,
            lines: 2,
            points: 9,
            text_len: 100,
            payload_len: 50,
            payload_crc: 0xdead_beef,
        };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(Record::parse(&bytes), Some(Record::Block(header)));

        let mut summary = Summary::of(&header);
        summary.add(&Header {
            seq: 8,
            at_ms: -9,
            ..header
        });
        assert_eq!((summary.first_at_ms, summary.last_at_ms), (-9, -5));
        bytes.clear();
        summary.write(&mut bytes);
        assert_eq!(bytes.len(), SEAL_BYTES);
        assert_eq!(Record::parse(&bytes), Some(Record::Seal(summary)));

        bytes.clear();
        write_head(7, &mut bytes);
        assert_eq!(bytes.len(), HEAD_BYTES);
        assert_eq!(parse_head(&bytes), Some(SEGMENT_VERSION));
    }

    #[test]
    fn a_record_with_any_flipped_bit_is_none() {
        let mut bytes = Vec::new();
        Summary::of(&Header {
            seq: 1,
            at_ms: 2,
            lines: 3,
            points: 4,
            text_len: 5,
            payload_len: 6,
            payload_crc: 7,
        })
        .write(&mut bytes);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::parse(&bytes), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
