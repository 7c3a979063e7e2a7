//! The segment files of a journal: which there are, and what is in one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::block::{SEAL_BYTES, Summary};
use super::scan::{Scanner, Step, Want};
use crate::store::error::StoreError;

/// A segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The sequence that its first block has, by its name.
    pub first: u64,
    /// The file.
    pub path: PathBuf,
}

/// The file whose first block has sequence `first`.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.seg"))
}

/// The segment files of a folder, oldest first. Other files are left alone.
pub(super) fn list(dir: &Path) -> Result<Vec<Segment>, StoreError> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(StoreError::io(dir))? {
        let path = entry.map_err(StoreError::io(dir))?.path();
        let first = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".seg"))
            .filter(|digits| digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        if let Some(first) = first {
            segments.push(Segment { first, path });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// What is in a segment, from its seal where it has one, else from its headers;
/// `None` where no block can be recognised.
pub(super) fn summary(path: &Path) -> io::Result<Option<Summary>> {
    if let Some(summary) = seal(path)? {
        return Ok(Some(summary));
    }
    let mut scanner = Scanner::open(path)?;
    let mut sum: Option<Summary> = None;
    loop {
        let step = scanner.step(|header| {
            match &mut sum {
                Some(sum) => sum.add(header),
                None => sum = Some(Summary::of(header)),
            }
            Want::Skip
        })?;
        match step {
            Step::Block(_) => (),
            Step::Seal(_) | Step::Stopped | Step::End => return Ok(sum),
        }
    }
}

/// Points of the blocks after `seq` in a segment, and the tick of the first of them.
pub(super) fn after(path: &Path, first: u64, seq: u64) -> io::Result<(u64, Option<i64>)> {
    if first > seq
        && let Some(summary) = seal(path)?
    {
        return Ok((summary.points, Some(summary.first_at_ms)));
    }
    let (mut points, mut oldest_ms) = (0_u64, None);
    let mut scanner = Scanner::open(path)?;
    loop {
        let step = scanner.step(|header| {
            if header.seq > seq {
                points = points.saturating_add(u64::from(header.points));
                oldest_ms = oldest_ms.or(Some(header.at_ms));
            }
            Want::Skip
        })?;
        match step {
            Step::Block(_) => (),
            Step::Seal(_) | Step::Stopped | Step::End => return Ok((points, oldest_ms)),
        }
    }
}

fn seal(path: &Path) -> io::Result<Option<Summary>> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut bytes = [0; SEAL_BYTES];
    let seal_len = u64::try_from(SEAL_BYTES).unwrap_or(u64::MAX);
    let Some(at) = len.checked_sub(seal_len) else {
        return Ok(None);
    };
    file.read_exact_at(&mut bytes, at)?;
    Ok(Summary::parse(&bytes))
}
