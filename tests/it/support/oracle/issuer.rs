//! A park that issues numbers: over Modbus, no place ever shows the same one twice, and
//! each number tells its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Meters at the endpoint, by unit from 1 on.
pub const METERS: u8 = 8;
/// What each of them measures, by address in steps of two, with its unit and its field.
#[rustfmt::skip]
pub const QUANTITIES: [(&str, &str, &str); 6] = [
    ("power",      "W", "power_w"),
    ("voltage_l1", "V", "voltage_l1_v"),
    ("voltage_l2", "V", "voltage_l2_v"),
    ("current_l1", "A", "current_l1_a"),
    ("current_l2", "A", "current_l2_a"),
    ("current_l3", "A", "current_l3_a"),
];
/// Numbers count in steps of this; what is left is the place.
const PLACES: u32 = 64;

/// The park; it ends with the runtime of its test.
#[derive(Clone)]
pub struct Issuer {
    pub port: u16,
    counts: Arc<[AtomicU32]>,
    silent: Arc<AtomicBool>,
}

fn place(unit: usize, quantity: usize) -> usize {
    (unit - 1) * QUANTITIES.len() + quantity
}

impl Issuer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            port: listener.local_addr().unwrap().port(),
            counts: (0..PLACES).map(|_| AtomicU32::new(0)).collect(),
            silent: Arc::default(),
        };
        let park = issuer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let park = park.clone();
                tokio::spawn(async move { park.serve(stream).await });
            }
        });
        issuer
    }

    /// Answers every question with numbers that nobody was told before.
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut ask = [0; 12];
        loop {
            stream.read_exact(&mut ask).await?;
            if self.silent.load(SeqCst) {
                continue;
            }
            let word = |at: usize| usize::from(u16::from_be_bytes([ask[at], ask[at + 1]]));
            let (unit, address, count) = (usize::from(ask[6]), word(8), word(10));
            assert!(unit <= usize::from(METERS) && address % 2 == 0 && count % 2 == 0);
            let mut answer = vec![ask[0], ask[1], 0, 0];
            answer.extend(u16::try_from(3 + 2 * count).unwrap().to_be_bytes());
            answer.extend([ask[6], ask[7], u8::try_from(2 * count).unwrap()]);
            for quantity in address / 2..(address + count) / 2 {
                answer.extend(self.next(place(unit, quantity)).to_be_bytes());
            }
            stream.write_all(&answer).await?;
        }
    }

    fn next(&self, place: usize) -> u32 {
        let count = self.counts[place].fetch_add(1, SeqCst);
        count * PLACES + u32::try_from(place).unwrap()
    }

    /// Whether a number was issued at a place: `m1` and `power_w`, for example.
    pub fn issued(&self, meter: &str, field: &str, number: f64) -> bool {
        let unit: usize = meter.trim_start_matches('m').parse().unwrap();
        let quantity = QUANTITIES.iter().position(|it| it.2 == field).unwrap();
        let place = place(unit, quantity);
        let count = f64::from(self.counts[place].load(SeqCst));
        let nth = (number - place as f64) / f64::from(PLACES);
        nth.fract() == 0.0 && nth >= 0.0 && nth < count
    }

    /// Issues nothing any more.
    pub fn fall_silent(&self) {
        self.silent.store(true, SeqCst);
    }

    /// Numbers issued so far.
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .map(|it| u64::from(it.load(SeqCst)))
            .sum()
    }

    /// The meters and their bus, as a configuration has them.
    pub fn config(&self) -> String {
        let mut text = format!("[bus.a.tcp]\nhost = \"127.0.0.1\"\nport = {}\n", self.port);
        for unit in 1..=METERS {
            text.push_str(&format!(
                "[[meter]]\nid = \"m{unit}\"\nrole = \"monitor\"\nbus = \"a\"\nunit = {unit}\nperiod = \"200ms\"\n"
            ));
            for (place, (quantity, of, _)) in QUANTITIES.iter().enumerate() {
                text.push_str(&format!(
                    "[[meter.point]]\nquantity = \"{quantity}\"\naddress = {}\ntype = \"u32\"\nunit = \"{of}\"\n",
                    2 * place
                ));
            }
        }
        text
    }
}
