//! The database: a process that takes `POST /api/v2/write`, unpacks the body,
//! counts its rows and answers 204.
//!
//! It gets what the daemon knows to be on its disk, so the age of a reading here
//! bounds the age at which it was durable from above.
//!
//! Its first line of output is its port. Asked for a `report`, it says rows and the p50,
//! p99 and greatest age in seconds of the readings since the last `reset`. Told `since MS`,
//! it counts readings from before apart: `old` says how many, and in how many seconds.

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::rc::Rc;

use sunledger::sys::clock::wall;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::ages::{Ages, reading_ms};
use super::process::{line, orders};

/// What has come.
struct Come {
    ages: Ages,
    /// Readings from before are old.
    since_ms: i64,
    old: u64,
    /// When the first and the last of them came.
    old_ms: Option<(i64, i64)>,
}

impl Come {
    fn since(since_ms: i64) -> Self {
        Self {
            ages: Ages::new(),
            since_ms,
            old: 0,
            old_ms: None,
        }
    }

    fn add(&mut self, at_ms: i64, now_ms: i64) {
        if at_ms >= self.since_ms {
            self.ages.add(now_ms - at_ms);
            return;
        }
        self.old += 1;
        self.old_ms = Some((self.old_ms.map_or(now_ms, |(first, _)| first), now_ms));
    }
}

/// Serves until its input ends.
pub async fn serve() -> io::Result<()> {
    let come = Rc::new(RefCell::new(Come::since(i64::MIN)));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    line(&format!("port {}", listener.local_addr()?.port()));
    let into = Rc::clone(&come);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let come = Rc::clone(&into);
            tokio::task::spawn_local(async move {
                let _ = take(stream, &come).await;
            });
        }
    });
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        if order == "report" {
            let come = come.borrow();
            let quantile = |part| come.ages.quantile(part).unwrap_or(f64::NAN);
            line(&format!(
                "{} {} {} {}",
                come.ages.total(),
                quantile(0.5),
                quantile(0.99),
                quantile(1.0)
            ));
        } else if order == "old" {
            let come = come.borrow();
            let (first, last) = come.old_ms.unwrap_or_default();
            line(&format!("{} {}", come.old, (last - first) as f64 / 1_000.0));
        } else {
            let since = order.strip_prefix("since ").map(str::parse);
            let since = since.transpose().map_err(io::Error::other)?;
            *come.borrow_mut() = Come::since(since.unwrap_or(i64::MIN));
            line("done");
        }
    }
    Ok(())
}

async fn take(stream: TcpStream, come: &RefCell<Come>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut body, mut text) = (String::new(), Vec::new(), Vec::new());
    loop {
        let (mut length, mut packed) = (0, false);
        loop {
            head.clear();
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
            let lower = head.trim().to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            packed |= lower == "content-encoding: gzip";
            if lower.is_empty() {
                break;
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).await?;
        let now_ms = wall().as_millisecond();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        text.clear();
        if packed {
            flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut text)?;
        } else {
            text.extend_from_slice(&body);
        }
        let text = std::str::from_utf8(&text).map_err(io::Error::other)?;
        for at in text.lines().filter_map(reading_ms) {
            come.borrow_mut().add(at, now_ms);
        }
    }
}
