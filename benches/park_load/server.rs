//! The meters: a process that answers Modbus TCP on as many ports as there are
//! endpoints, as cheaply as it can, with values that change.
//!
//! Its first line of output is the ports. Asked for a `report`, it says when the
//! first request came (milliseconds since 1970, 0 for never) and how many came.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use sunledger::sys::clock::wall;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::park::{Place, Size, places, registers};
use super::process::{line, orders};

#[derive(Default)]
struct Counts {
    first_ms: Cell<i64>,
    requests: Cell<u64>,
}

/// Later than any daemon waits by default.
const LATE: Duration = Duration::from_millis(1_200);

/// Which fault the request that was just counted is to meet, if any: each in its turn.
fn fault(percent: usize, counts: &Counts) -> Option<u64> {
    let every = 100 / u64::try_from(percent).ok()?.clamp(1, 100);
    let nth = counts.requests.get();
    (percent > 0 && nth.is_multiple_of(every)).then_some(nth / every % 4)
}

/// Serves until its input ends.
pub async fn serve(size: Size) -> io::Result<()> {
    let counts = Rc::new(Counts::default());
    let mut ports = String::from("ports");
    for endpoint in 0..size.endpoints {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        ports.push_str(&format!(" {}", listener.local_addr()?.port()));
        let counts = Rc::clone(&counts);
        tokio::task::spawn_local(async move {
            let places: Rc<[Place]> = places(size.points).into();
            while let Ok((stream, _)) = listener.accept().await {
                let (places, counts) = (Rc::clone(&places), Rc::clone(&counts));
                tokio::task::spawn_local(async move {
                    // A daemon that hangs up is at its end.
                    let _ = answer(stream, size, endpoint, &places, &counts).await;
                });
            }
        });
    }
    line(&ports);
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        if order == "report" {
            line(&format!(
                "{} {}",
                counts.first_ms.get(),
                counts.requests.get()
            ));
        } else {
            counts.first_ms.set(0);
            counts.requests.set(0);
            line("done");
        }
    }
    Ok(())
}

async fn answer(
    mut stream: TcpStream,
    size: Size,
    endpoint: usize,
    places: &[Place],
    counts: &Counts,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut request, mut reply, mut words) = ([0_u8; 12], Vec::new(), Vec::new());
    loop {
        stream.read_exact(&mut request).await?;
        let now_ms = wall().as_millisecond();
        if counts.requests.replace(counts.requests.get() + 1) == 0 {
            counts.first_ms.set(now_ms);
        }
        let [t0, t1, _, _, _, _, unit, function, a0, a1, n0, n1] = request;
        let address = usize::from(u16::from_be_bytes([a0, a1]));
        let count = usize::from(u16::from_be_bytes([n0, n1]));
        registers(places, size.meter(endpoint, unit), now_ms, &mut words);
        let asked = words.get(address..address + count).unwrap_or_default();
        let bytes = 2 * asked.len();
        reply.clear();
        reply.extend([t0, t1, 0, 0]);
        reply.extend(u16::try_from(bytes + 3).unwrap_or(3).to_be_bytes());
        reply.extend([unit, function, u8::try_from(bytes).unwrap_or(0)]);
        reply.extend(asked.iter().flat_map(|word| word.to_be_bytes()));
        match fault(size.faults_pct, counts) {
            None => (),
            Some(0) => {
                // Busy.
                reply.clear();
                reply.extend([t0, t1, 0, 0, 0, 3, unit, function | 0x80, 6]);
            }
            Some(1) => {
                // Another transaction than the one that was asked.
                if let Some(last) = reply.get_mut(1) {
                    *last = last.wrapping_add(1);
                }
            }
            Some(2) => return Ok(()),
            Some(_) => tokio::time::sleep(LATE).await,
        }
        stream.write_all(&reply).await?;
    }
}
