//! The journal against torn ends, flipped bits, missing files and a full disk.

mod model;
mod retention;

use std::collections::BTreeMap;
use std::fs;

use super::*;
use retention::plan;

/// A segment limit that a few blocks fill.
const SMALL: u64 = 1_024;

fn at(second: u64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + i64::try_from(second).unwrap()).unwrap()
}

/// Numbers without a pattern, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Some lines that tell which block they are of and do not shrink to nothing.
fn lines(seq: u64, count: u64) -> String {
    let mut dice = Dice(seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    (0..count)
        .map(|meter| {
            let power = dice.below(1 << 40);
            format!("electricity,meter=m{meter} block={seq}i,power_w={power}.5 {seq}000\n")
        })
        .collect()
}

fn append(journal: &mut Journal, second: u64, count: u64) -> u64 {
    let seq = journal.next_seq;
    let text = lines(seq, count);
    let count = u32::try_from(count).unwrap();
    assert_eq!(
        journal.append(at(second), count, 2 * count, &text).unwrap(),
        seq
    );
    seq
}

fn open(dir: &Path) -> Journal {
    Journal::open(dir, SMALL, 0).unwrap()
}

/// Every block that a new reader finds, each checked against what it must say.
fn read_all(dir: &Path) -> (Vec<u64>, Reader) {
    let mut reader = Reader::of(dir.to_owned()).unwrap();
    let mut seqs = Vec::new();
    let mut last = 0;
    while let Some(block) = reader.next_after(last, None).unwrap() {
        assert_eq!(block.text, lines(block.seq, u64::from(block.lines)));
        assert_eq!(block.points, 2 * block.lines);
        last = block.seq;
        seqs.push(last);
    }
    (seqs, reader)
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    segments::list(dir)
        .unwrap()
        .into_iter()
        .map(|segment| segment.path)
        .collect()
}

#[test]
fn blocks_come_back_as_they_were_appended_over_segments_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mut journal = open(dir.path());
        assert_eq!(journal.damage(), Damage::default());
        for block in 0..12 {
            append(&mut journal, round * 12 + block, 1 + block);
        }
    }
    let journal = open(dir.path());
    assert_eq!(journal.last_seq(), 60);
    assert!(journal.segments() > 5, "{}", journal.segments());
    let on_disk: u64 = segment_files(dir.path())
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .inspect(|len| assert!(*len <= SMALL, "{len}"))
        .sum();
    assert_eq!(journal.bytes(), on_disk);
    let (seqs, reader) = read_all(dir.path());
    assert_eq!(seqs, Vec::from_iter(1..=60));
    assert_eq!((reader.damaged(), reader.missing()), (0, 0));
    assert_eq!(reader.period().unwrap(), Some((at(0), at(59))));
    assert_eq!(reader.newest().unwrap(), journal.newest());
    assert_eq!(reader.oldest().unwrap(), journal.oldest().unwrap());
}

#[test]
fn a_segment_cut_at_any_byte_of_its_last_three_blocks_keeps_every_block_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), 1 << 20, 0).unwrap();
    let mut ends = Vec::new();
    for second in 0..8 {
        append(&mut journal, second, 5);
        ends.push(usize::try_from(journal.bytes()).unwrap());
    }
    drop(journal);
    let path = &segment_files(dir.path())[0];
    let whole = fs::read(path).unwrap();
    for cut in ends[4]..whole.len() {
        fs::write(path, &whole[..cut]).unwrap();
        let kept = u64::try_from(ends.iter().filter(|end| **end <= cut).count()).unwrap();
        let mut journal = Journal::open(dir.path(), 1 << 20, 0).unwrap();
        assert_eq!(journal.last_seq(), kept, "cut at {cut}");
        let torn = u64::from(!ends.contains(&cut));
        assert_eq!(journal.damage().torn, torn, "cut at {cut}");
        append(&mut journal, 9, 3);
        let (seqs, reader) = read_all(dir.path());
        assert_eq!(seqs, Vec::from_iter(1..=kept + 1), "cut at {cut}");
        assert_eq!(reader.damaged(), 0, "cut at {cut}");
    }
}

#[test]
fn a_segment_cut_before_its_first_block_gives_its_number_away_again() {
    let dir = tempfile::tempdir().unwrap();
    for cut in 0..block::HEAD_BYTES + block::HEADER_BYTES {
        let mut journal = Journal::open(dir.path(), 1 << 20, 6).unwrap();
        assert_eq!(append(&mut journal, 0, 5), 7);
        drop(journal);
        let path = segment_files(dir.path()).remove(0);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..cut]).unwrap();
        let journal = Journal::open(dir.path(), 1 << 20, 6).unwrap();
        assert_eq!((journal.segments(), journal.last_seq()), (0, 6));
    }
}

#[test]
fn a_number_that_a_cursor_is_past_is_never_given_to_another_block() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    (0..5).for_each(|second| {
        append(&mut journal, second, 2);
    });
    drop(journal);
    let path = segment_files(dir.path()).remove(0);
    let len = fs::metadata(&path).unwrap().len();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(len - 1)
        .unwrap();
    let mut journal = Journal::open(dir.path(), SMALL, 5).unwrap();
    assert_eq!(append(&mut journal, 6, 2), 6);
    let (seqs, reader) = read_all(dir.path());
    assert_eq!((seqs, reader.damaged()), (vec![1, 2, 3, 4, 6], 1));
}

#[test]
fn a_flipped_bit_costs_the_block_that_it_hits_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let mut places = BTreeMap::new();
    for second in 0..40 {
        let seq = append(&mut journal, second, 1 + second % 7);
        let active = journal.active.as_ref().unwrap();
        places.insert((active.segment.path.clone(), active.durable), seq);
    }
    drop(journal);
    let files = segment_files(dir.path());
    let mut dice = Dice(20_260_603);
    for trial in 0..1_000 {
        let path = &files[usize::try_from(dice.below(len_u64(files.len()))).unwrap()];
        let whole = fs::read(path).unwrap();
        let byte = dice.below(len_u64(whole.len()));
        let mut flipped = whole.clone();
        flipped[usize::try_from(byte).unwrap()] ^= 1 << dice.below(8);
        fs::write(path, &flipped).unwrap();
        // The block whose end is the first one behind the flipped byte; none for a
        // seal, and none for the head, which the first block follows.
        let hit = (byte >= 24)
            .then(|| {
                let (found, seq) = places.range((path.clone(), byte + 1)..).next()?;
                (found.0 == *path).then_some(*seq)
            })
            .flatten();
        let (seqs, reader) = read_all(dir.path());
        let expected: Vec<u64> = (1..=40).filter(|seq| Some(*seq) != hit).collect();
        assert_eq!(
            seqs,
            expected,
            "trial {trial}: byte {byte} of {}",
            path.display()
        );
        // Nobody can tell the last block, damaged, from one that is being written.
        let counted = u64::from(hit.is_some_and(|seq| seq != 40));
        assert_eq!(
            (reader.damaged(), reader.missing()),
            (counted, 0),
            "trial {trial}"
        );
        fs::write(path, &whole).unwrap();
    }
}

#[test]
fn damage_in_the_last_segment_is_passed_over_at_the_start_and_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), 1 << 20, 0).unwrap();
    let ends: Vec<_> = (0..5)
        .map(|second| {
            append(&mut journal, second, 3);
            usize::try_from(journal.bytes()).unwrap()
        })
        .collect();
    drop(journal);
    let path = segment_files(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[ends[2] - 1] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut journal = Journal::open(dir.path(), 1 << 20, 0).unwrap();
    let damage = Damage {
        damaged: 1,
        ..Damage::default()
    };
    assert_eq!(journal.damage(), damage);
    append(&mut journal, 6, 3);
    assert_eq!(read_all(dir.path()).0, [1, 2, 4, 5, 6]);
}

#[test]
fn a_deleted_segment_is_missing_and_reading_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    (0..60).for_each(|second| {
        append(&mut journal, second, 4);
    });
    let files = segment_files(dir.path());
    let first =
        |path: &Path| -> u64 { path.file_stem().unwrap().to_str().unwrap().parse().unwrap() };
    let gone = first(&files[2])..first(&files[3]);
    fs::remove_file(&files[2]).unwrap();
    let (seqs, reader) = read_all(dir.path());
    let expected: Vec<u64> = (1..=60).filter(|seq| !gone.contains(seq)).collect();
    assert_eq!(seqs, expected);
    let lost = gone.end - gone.start;
    assert_eq!((reader.damaged(), reader.missing()), (0, lost));

    fs::remove_file(&files[0]).unwrap();
    let mut reader = Reader::of(dir.path().to_owned()).unwrap();
    let block = reader.next_after(0, None).unwrap().unwrap();
    assert_eq!(block.seq, first(&files[1]));
    assert_eq!(reader.missing(), block.seq - 1, "it says how much is gone");
}

#[test]
fn a_full_segment_whose_end_is_gone_has_damaged_blocks_not_missing_ones() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    while journal.complete.len() < 2 {
        append(&mut journal, 0, 4);
    }
    let last = journal.last_seq();
    let behind = journal.complete[1].segment.first;
    let path = journal.complete[0].segment.path.clone();
    // Seal and last block are cut.
    let len = fs::metadata(&path).unwrap().len() - len_u64(block::SEAL_BYTES) - 1;
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(len).unwrap();
    let (seqs, reader) = read_all(dir.path());
    let expected: Vec<u64> = (1..=last).filter(|seq| *seq != behind - 1).collect();
    assert_eq!(seqs, expected);
    assert_eq!((reader.damaged(), reader.missing()), (1, 0));
}

#[test]
fn a_reader_sees_only_what_it_may_and_waits_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    append(&mut journal, 0, 1);
    append(&mut journal, 1, 1);
    let mut reader = Reader::of(dir.path().to_owned()).unwrap();
    let mut next = |after, upto| {
        let block = reader.next_after(after, upto).unwrap();
        block.map(|block| block.seq)
    };
    assert_eq!(next(0, Some(0)), None);
    assert_eq!(next(0, Some(1)), Some(1));
    assert_eq!(next(1, Some(1)), None);
    assert_eq!(next(1, Some(2)), Some(2));
    assert_eq!(next(2, None), None);
    append(&mut journal, 2, 1);
    assert_eq!(next(2, None), Some(3));
    assert_eq!(
        next(0, None),
        Some(1),
        "a replay begins where it is told to"
    );
}

#[test]
fn a_block_that_is_being_written_is_found_once_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), 1 << 20, 0).unwrap();
    append(&mut journal, 0, 3);
    let start = usize::try_from(journal.bytes()).unwrap();
    append(&mut journal, 1, 3);
    let path = segment_files(dir.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    for cut in start..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let mut reader = Reader::of(dir.path().to_owned()).unwrap();
        assert_eq!(reader.next_after(0, None).unwrap().unwrap().seq, 1);
        assert_eq!(reader.next_after(1, None).unwrap(), None, "cut at {cut}");
        fs::write(&path, &whole).unwrap();
        assert_eq!(reader.next_after(1, None).unwrap().unwrap().seq, 2);
        assert_eq!(reader.damaged(), 0);
    }
}

#[test]
fn a_reader_keeps_up_with_the_writer_and_with_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    append(&mut journal, 0, 4);
    let folder = dir.path().to_owned();
    let follower = std::thread::spawn(move || {
        let mut reader = Reader::of(folder).unwrap();
        let (mut last, mut read) = (0, 0);
        while last < 400 {
            match reader.next_after(last, None).unwrap() {
                Some(block) => {
                    assert_eq!(block.text, lines(block.seq, u64::from(block.lines)));
                    assert!(block.seq > last);
                    last = block.seq;
                    read += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        (read, reader.damaged(), reader.missing())
    });
    for second in 1..400 {
        append(&mut journal, second, 4);
        if second % 50 == 0 {
            let plan = plan(&mut journal, 0, 8 * SMALL, 0, i64::MIN);
            journal.delete(&plan).unwrap();
        }
    }
    let (read, damaged, missing) = follower.join().unwrap();
    assert_eq!(damaged, 0);
    assert_eq!(read + missing, 400);
}

#[test]
fn a_range_has_the_blocks_of_its_ticks_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    (0..100).for_each(|second| {
        append(&mut journal, second, 3);
    });
    for (from, until) in [(0, 100), (0, 1), (37, 61), (99, 200), (50, 50), (150, 160)] {
        let mut reader = Reader::of(dir.path().to_owned()).unwrap();
        let mut found = Vec::new();
        let mut last = 0;
        while let Some(block) = reader.next_between(last, at(from), at(until)).unwrap() {
            last = block.seq;
            found.push(block.seq);
        }
        let expected: Vec<u64> = (from..until.min(100)).map(|second| second + 1).collect();
        assert_eq!(found, expected, "{from}..{until}");
        assert_eq!((reader.damaged(), reader.missing()), (0, 0));
    }
}

#[test]
fn the_backlog_of_a_sink_is_every_point_behind_its_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    (0..60).for_each(|second| {
        append(&mut journal, second, 4);
    });
    let reader = Reader::of(dir.path().to_owned()).unwrap();
    for seq in 0..60 {
        let backlog = reader.backlog(seq).unwrap();
        assert_eq!(backlog.points, (60 - seq) * 8);
        assert_eq!(backlog.oldest, Some(at(seq)));
    }
    assert_eq!(reader.backlog(60).unwrap(), reader::Backlog::default());
}

#[test]
fn a_failed_write_is_repaired_before_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    append(&mut journal, 0, 2);
    let active = journal.active.as_mut().unwrap();
    let path = active.segment.path.clone();
    // A handle that cannot write, and half a block as a full disk leaves it.
    active.file = File::open(&path).unwrap();
    assert!(journal.append(at(1), 1, 1, "a b=1 1\n").is_err());
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0xE7, b'S', b'L', 0x1B, 1, 2, 3]);
    fs::write(&path, bytes).unwrap();
    assert_eq!(journal.last_seq(), 1);
    assert_eq!(append(&mut journal, 2, 2), 2);
    let (seqs, reader) = read_all(dir.path());
    assert_eq!((seqs, reader.damaged()), (vec![1, 2], 0));
    assert_eq!(open(dir.path()).damage(), Damage::default());
}

#[test]
fn a_segment_of_a_newer_version_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), 0, 2);
    let path = segment_files(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..20]).to_le_bytes();
    bytes[20..24].copy_from_slice(&crc);
    fs::write(&path, &bytes).unwrap();
    let error = Journal::open(dir.path(), SMALL, 0).err().unwrap();
    assert_eq!(error.exit_code(), 78);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
