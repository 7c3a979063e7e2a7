//! A sink at work: a journal in memory, a cursor that is noted, a server to talk to.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sunledger::sink::dialect::{Dialect, Login};
use sunledger::sink::http::Trust;
use sunledger::sink::influx::{Settings, run};
use sunledger::sink::stats::SinkStats;
use sunledger::sink::{Block, BlockSource};
use sunledger::sys::secret::Secret;
use sunledger::wire::line_protocol::{Writer, series_key};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::influx::{BUCKET, ORG, TOKEN};

/// First tick of every journal here.
pub const START_MS: i64 = 1_780_466_400_000;

/// A journal in memory.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Block>>>);

impl Journal {
    /// Appends a block of this text and gives its place.
    pub fn append(&self, text: &str) -> u64 {
        let mut blocks = self.0.lock().unwrap();
        let seq = blocks.last().map_or(0, |block| block.seq) + 1;
        let fields = |line: &str| line.split(' ').nth(1).unwrap_or("").split(',').count();
        blocks.push(Block {
            seq,
            at_ms: START_MS + i64::try_from(seq).unwrap() * 1_000,
            lines: u32::try_from(text.lines().count()).unwrap(),
            points: u32::try_from(text.lines().map(fields).sum::<usize>()).unwrap(),
            text: text.to_owned(),
        });
        seq
    }

    /// Forgets blocks up to `seq`, as the size bound does.
    pub fn forget(&self, seq: u64) {
        self.0.lock().unwrap().retain(|block| block.seq > seq);
    }

    /// Everything in it.
    pub fn text(&self) -> String {
        let blocks = self.0.lock().unwrap();
        blocks.iter().map(|block| block.text.as_str()).collect()
    }

    pub fn points(&self) -> u64 {
        let blocks = self.0.lock().unwrap();
        blocks.iter().map(|block| u64::from(block.points)).sum()
    }
}

impl BlockSource for Journal {
    fn another(&self) -> Self {
        self.clone()
    }

    fn next_after(&mut self, seq: u64, upto: u64) -> io::Result<Option<Block>> {
        let blocks = self.0.lock().unwrap();
        let next = blocks
            .iter()
            .find(|block| block.seq > seq && block.seq <= upto);
        Ok(next.cloned())
    }
}

/// Rows of `meters` meters at one tick, with values that no other row has.
pub fn tick(tick: i64, meters: i64) -> String {
    tick_since(START_MS, tick, meters)
}

/// The same, counted from another moment.
pub fn tick_since(start_ms: i64, tick: i64, meters: i64) -> String {
    let mut rows = Writer::default();
    for meter in 0..meters {
        let name = format!("meter {meter}");
        let tags = [("park", "fanshi"), ("meter", &name), ("role", "tenant")];
        rows.begin(&series_key("electricity", &tags).unwrap());
        let number = f64::from(i32::try_from(tick * 1_000 + meter).unwrap());
        // Sums of binary fractions: many digits, of which twelve survive anywhere.
        rows.float("power_w", number / 1_000.0 + 0.1);
        rows.int("energy_import_count", tick * 1_000_000 + meter);
        rows.int("quality", 0);
        rows.end(start_ms + tick * 1_000);
    }
    rows.text
}

/// A sink, its journal, and what it reports.
pub struct Rig {
    pub journal: Journal,
    pub settings: Settings,
    pub stats: Arc<SinkStats>,
    pub dir: tempfile::TempDir,
    committed: watch::Sender<u64>,
    cursors: Arc<Mutex<Vec<u64>>>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// How long anything here may take: the machine may be slow, the test is not.
pub const PATIENCE: Duration = Duration::from_secs(120);

impl Rig {
    /// A sink for the server at `url`; it starts with [`Rig::start`].
    pub fn new(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            journal: Journal::default(),
            settings: Settings {
                name: "local".to_owned(),
                url: url.to_owned(),
                dialect: Dialect::Influx2 {
                    org: ORG.to_owned(),
                    bucket: BUCKET.to_owned(),
                },
                login: Login::token(Secret::new(TOKEN)),
                trust: Trust::default(),
                quarantine_dir: dir.path().join("quarantine"),
                backlog_rate: 500_000,
                suspect_wait: Duration::from_millis(10),
            },
            stats: Arc::default(),
            dir,
            committed: watch::Sender::new(0),
            cursors: Arc::default(),
            stop: CancellationToken::new(),
            task: None,
        }
    }

    /// Starts the sink behind the last cursor it reported.
    pub fn start(&mut self) {
        let (cursor_out, mut moves) = mpsc::channel(4);
        let cursors = Arc::clone(&self.cursors);
        tokio::spawn(async move {
            while let Some((name, seq)) = moves.recv().await {
                assert_eq!(name, "local");
                cursors.lock().unwrap().push(seq);
            }
        });
        self.stop = CancellationToken::new();
        self.task = Some(tokio::spawn(run(
            self.settings.clone(),
            self.cursor(),
            self.journal.clone(),
            self.committed.subscribe(),
            cursor_out,
            self.stop.clone(),
            Arc::clone(&self.stats),
        )));
    }

    /// Journals a block and tells the sink.
    pub fn commit(&self, text: &str) -> u64 {
        let seq = self.journal.append(text);
        self.committed.send_replace(seq);
        seq
    }

    /// The last cursor.
    pub fn cursor(&self) -> u64 {
        self.cursors.lock().unwrap().last().copied().unwrap_or(0)
    }

    /// Every cursor, in the order it was reported.
    pub fn cursors(&self) -> Vec<u64> {
        self.cursors.lock().unwrap().clone()
    }

    /// Waits until the cursor is at `seq`.
    pub async fn settled(&self, seq: u64) {
        self.until("the cursor is there", || self.cursor() >= seq)
            .await;
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, so: impl Fn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !so() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "waited in vain until {what}; {:?}",
            self.stats.numbers()
        );
    }

    /// Stops the sink and gives the time that took.
    pub async fn stop(&mut self) -> Duration {
        let asked = tokio::time::Instant::now();
        self.stop.cancel();
        self.task.take().unwrap().await.unwrap();
        asked.elapsed()
    }

    /// The rows set aside, comments included.
    pub fn quarantine(&self) -> String {
        let path = self.settings.quarantine_dir.join("local.lp");
        std::fs::read_to_string(path).unwrap_or_default()
    }
}
