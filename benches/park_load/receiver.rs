//! The database: a process that takes `POST /api/v2/write`, unpacks the body,
//! counts its rows and answers 204.
//!
//! It gets what the daemon knows to be on its disk, so the age of a reading here
//! bounds the age at which it was durable from above.
//!
//! Its first line of output is its port. Asked for a `report`, it says rows and
//! the p50 and p99 age in seconds of the readings since the last `reset`.

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::rc::Rc;

use sunledger::sys::clock::wall;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::ages::{Ages, reading_ms};
use super::process::{line, orders};

/// Serves until its input ends.
pub async fn serve() -> io::Result<()> {
    let ages = Rc::new(RefCell::new(Ages::new()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    line(&format!("port {}", listener.local_addr()?.port()));
    let into = Rc::clone(&ages);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let ages = Rc::clone(&into);
            tokio::task::spawn_local(async move {
                let _ = take(stream, &ages).await;
            });
        }
    });
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        if order == "report" {
            let ages = ages.borrow();
            let quantile = |part| ages.quantile(part).unwrap_or(f64::NAN);
            line(&format!(
                "{} {} {}",
                ages.total(),
                quantile(0.5),
                quantile(0.99)
            ));
        } else {
            *ages.borrow_mut() = Ages::new();
            line("done");
        }
    }
    Ok(())
}

async fn take(stream: TcpStream, ages: &RefCell<Ages>) -> io::Result<()> {
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
            ages.borrow_mut().add(now_ms - at);
        }
    }
}
