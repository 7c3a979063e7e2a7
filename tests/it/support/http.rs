//! A client that does as it is told: raw bytes out, raw bytes in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, taken apart.
pub struct Answer {
    pub code: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        let matches = |line: &&str| {
            line.split_once(':')
                .is_some_and(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let line = self.head.lines().find(matches)?;
        Some(line.split_once(':')?.1.trim())
    }
}

/// A connection from a loopback address of our choice.
pub async fn connect_from(source: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source, 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// Sends bytes and reads until the server hangs up.
pub async fn exchange(to: SocketAddr, request: &str) -> Answer {
    let mut socket = TcpStream::connect(to).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut raw = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut raw))
        .await
        .expect("the server hangs up")
        .unwrap();
    parse(&raw)
}

/// A request of one method under the server's own name.
pub async fn ask(to: SocketAddr, method: &str, path: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    exchange(to, &request).await
}

pub async fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, "GET", path).await
}

/// The answer of a server that may not be there, or die while it speaks.
pub async fn try_get(to: SocketAddr, path: &str) -> Option<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    let asked = async {
        let mut socket = TcpStream::connect(to).await.ok()?;
        socket.write_all(request.as_bytes()).await.ok()?;
        let mut raw = Vec::new();
        socket.read_to_end(&mut raw).await.ok()?;
        let whole = raw.windows(4).any(|four| four == b"\r\n\r\n");
        whole.then(|| parse(&raw))
    };
    timeout(PATIENCE, asked).await.ok().flatten()
}

fn parse(raw: &[u8]) -> Answer {
    let end = raw
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(raw)));
    let head = String::from_utf8(raw[..end].to_vec()).unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        code,
        head,
        body: raw[end + 4..].to_vec(),
    }
}

/// A stream of server-sent events, read as text.
pub struct Events {
    socket: TcpStream,
    pub seen: String,
}

impl Events {
    /// Opens the live stream from a loopback address.
    pub async fn open(source: IpAddr, to: SocketAddr) -> Self {
        let mut socket = connect_from(source, to).await;
        let request = format!("GET /api/v1/live/stream HTTP/1.1\r\nHost: {to}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self {
            socket,
            seen: String::new(),
        };
        events.until("\r\n\r\n").await;
        events
    }

    /// Reads until a text has come as often as wanted.
    pub async fn until_times(&mut self, text: &str, times: usize) {
        let read = async {
            let mut chunk = [0; 16 * 1024];
            while self.seen.matches(text).count() < times {
                let count = self.socket.read(&mut chunk).await.unwrap();
                assert!(count > 0, "ended before {text:?}: {}", self.seen);
                self.seen
                    .push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
        };
        timeout(PATIENCE, read).await.expect("the stream speaks");
    }

    pub async fn until(&mut self, text: &str) {
        self.until_times(text, 1).await;
    }

    /// Reads to the end.
    pub async fn rest(&mut self) {
        let mut raw = Vec::new();
        let read = self.socket.read_to_end(&mut raw);
        timeout(PATIENCE, read)
            .await
            .expect("the stream ends")
            .unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&raw));
    }

    /// The events so far: name and data.
    pub fn events(&self) -> Vec<(String, String)> {
        let field = |event: &str, name: &str| {
            let prefix = format!("{name}: ");
            let line = event.lines().find(|line| line.starts_with(&prefix))?;
            Some(line[prefix.len()..].to_owned())
        };
        self.seen
            .split("\n\n")
            .filter_map(|event| Some((field(event, "event")?, field(event, "data")?)))
            .collect()
    }
}

/// A web server that answers everything with this page, on a port of its own.
pub async fn anything(page: &'static str) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(move || async move { axum::response::Html(page) });
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
