//! What no client can do: hold up the server, keep others out, change anything.

use std::time::Duration;

use sunledger::web::{Limits, Settings, bind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::{Server, loopback};
use crate::support::http::{Events, PATIENCE, ask, connect_from, exchange, get};
use crate::support::show_park::Story;

#[tokio::test]
async fn a_stream_that_is_old_ends_so_that_the_page_opens_another() {
    let age = Duration::from_millis(200);
    let server = Server::start(Story::Fair, |settings| settings.limits.stream_age = age);
    let mut events = Events::open(loopback(1), server.address).await;
    events.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn streams_are_said_goodbye_and_nobody_holds_up_the_end() {
    let server = Server::usual();
    let mut polite = Events::open(loopback(1), server.address).await;
    polite.until("event: ping").await;
    let reader = tokio::spawn(async move {
        polite.rest().await;
        polite.seen
    });
    let stalled = Events::open(loopback(2), server.address).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    // Enough to fill every buffer between the server and a reader that does not read.
    for second in 0..400 {
        server.tick(second);
        sleep(Duration::from_millis(1)).await;
    }
    let took = server.end().await;
    let seen = reader.await.unwrap();
    assert!(seen.contains("retry: 5000\nevent: bye"));
    assert!(took < Duration::from_secs(2 * 5), "{took:?}");
    drop((stalled, idle));
}

#[tokio::test]
async fn half_a_header_is_hung_up_on() {
    let header = Duration::from_millis(500);
    let server = Server::start(Story::Fair, |settings| settings.limits.header = header);
    for sent in ["", "GET / HTTP/1.1\r\nHost: 127"] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        let started = Instant::now();
        let mut raw = Vec::new();
        let ended = timeout(PATIENCE, socket.read_to_end(&mut raw)).await;
        assert!(ended.is_ok(), "still open after {sent:?}");
        assert!(started.elapsed() >= header, "not before its time");
        assert!(started.elapsed() < header * 5, "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_crowd_of_silent_connections_keeps_nobody_out() {
    let server = Server::usual();
    let mut crowd = Vec::new();
    for place in 0..300_u16 {
        let source = loopback(u8::try_from(2 + place / 30).unwrap());
        crowd.push(connect_from(source, server.address).await);
    }
    let mut same: Vec<TcpStream> = Vec::new();
    for _ in 0..40 {
        same.push(connect_from(loopback(1), server.address).await);
    }
    let answer = timeout(Duration::from_secs(5), get(server.address, "/livez")).await;
    assert_eq!(answer.expect("in time").code, 200);
}

#[tokio::test]
async fn the_sixty_fifth_stream_is_asked_to_come_back() {
    let server = Server::usual();
    let mut streams = Vec::new();
    for place in 0..64_u8 {
        let source = loopback(2 + place / 30);
        streams.push(Events::open(source, server.address).await);
    }
    let refused = get(server.address, "/api/v1/live/stream").await;
    assert_eq!(refused.code, 503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(get(server.address, "/api/v1/live").await.code, 200);
    drop(streams.pop());
    let again = async {
        loop {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            let request = format!(
                "GET /api/v1/live/stream HTTP/1.1\r\nHost: {}\r\n\r\n",
                server.address
            );
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut start = [0; 12];
            socket.read_exact(&mut start).await.unwrap();
            if &start == b"HTTP/1.1 200" {
                return;
            }
            server.tick(1);
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, again)
        .await
        .expect("a place becomes free");
}

#[tokio::test]
async fn more_streams_than_one_address_may_have_are_turned_away() {
    let server = Server::start(Story::Fair, |settings| settings.limits.per_address = 4);
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(Events::open(loopback(9), server.address).await);
    }
    let mut fifth = connect_from(loopback(9), server.address).await;
    let mut said = String::new();
    let read = fifth.read_to_string(&mut said);
    timeout(PATIENCE, read).await.expect("hung up").unwrap();
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    assert!(said.contains("retry-after: "), "{said}");
    assert_eq!(get(server.address, "/livez").await.code, 200);
}

#[tokio::test]
async fn everything_is_read_only() {
    let server = Server::usual();
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
    ] {
        for path in ["/", "/api/v1/live", "/nowhere"] {
            let answer = ask(server.address, method, path).await;
            assert_eq!(answer.code, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    let head = ask(server.address, "HEAD", "/api/v1/live").await;
    assert_eq!((head.code, head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_request_with_a_body_or_an_endless_header_is_refused() {
    let server = Server::usual();
    let to = server.address;
    let body = format!("GET /livez HTTP/1.1\r\nHost: {to}\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(exchange(to, &body).await.code, 413);
    let long = format!(
        "GET /livez HTTP/1.1\r\nHost: {to}\r\nX: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    assert_eq!(exchange(to, &long).await.code, 431);
}

#[tokio::test]
async fn a_foreign_name_is_refused() {
    let server = Server::start(Story::Fair, |settings| {
        settings.hosts = vec!["edge.park.example".to_owned()];
    });
    let port = server.address.port();
    #[rustfmt::skip]
    let cases = [
        (format!("Host: 127.0.0.1:{port}\r\n"),                      200),
        (format!("Host: localhost:{port}\r\n"),                      200),
        ("Host: [::1]\r\n".to_owned(),                               200),
        ("Host: EDGE.park.example\r\n".to_owned(),                   200),
        (format!("Host: evil.example:{port}\r\n"),                   421),
        (format!("Host: 127.0.0.1.evil.example:{port}\r\n"),         421),
        ("Host: 192.168.7.7\r\n".to_owned(),                         421),
        ("Host:\r\n".to_owned(),                                     421),
        (String::new(),                                              421),
        ("Host: localhost\r\nHost: evil.example\r\n".to_owned(),     421),
    ];
    for (host, code) in cases {
        let request = format!("GET /api/v1/live HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        assert_eq!(
            exchange(server.address, &request).await.code,
            code,
            "{host}"
        );
    }
    let absolute = "GET http://evil.example/api/v1/live HTTP/1.1\r\nHost: localhost\r\n\
        Connection: close\r\n\r\n";
    assert_eq!(exchange(server.address, absolute).await.code, 421);
}

#[tokio::test]
async fn a_port_in_use_is_known_before_anything_is_served() {
    let server = Server::usual();
    let error = bind(&Settings::at(server.address)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn the_limits_are_those_that_the_documents_promise() {
    let limits = Limits::default();
    assert_eq!(
        (limits.connections, limits.per_address, limits.streams),
        (256, 32, 64)
    );
    assert_eq!(limits.header, Duration::from_secs(10));
    assert_eq!(limits.ping_every, Duration::from_secs(10));
    assert_eq!(limits.stream_age, Duration::from_secs(3_600));
    assert!(limits.drain <= Duration::from_secs(5));
}
