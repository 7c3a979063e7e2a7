//! What goes wrong with connections.

use super::*;

#[tokio::test]
async fn a_gateway_with_one_socket_turns_the_second_away() {
    let park = tcp(&["max-sockets:1"]).await;
    let mut first = Master::connect(&park).await;
    first.words(1, 0, 1).await;
    let mut second = Master::connect(&park).await;
    assert!(second.is_hung_up_on(LONG).await);
    assert_eq!(first.words(1, 0, 1).await.len(), 1);
    drop(first);
    // Whoever hung up first may come back at once.
    let mut third = Master::connect(&park).await;
    assert_eq!(third.words(1, 0, 1).await.len(), 1);
    let sockets = park.log().sockets(0);
    assert_eq!(
        (sockets.taken, sockets.turned_away, sockets.most_open),
        (2, 1, 1)
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let park = tcp(&["idle-close:300ms"]).await;
    let mut master = Master::connect(&park).await;
    for _ in 0..5 {
        master.words(1, 0, 1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let began = Instant::now();
    assert!(master.is_hung_up_on(LONG).await);
    assert!(
        began.elapsed() >= Duration::from_millis(150),
        "{:?}",
        began.elapsed()
    );
    park.faults().off("idle-close").unwrap();
    let mut master = Master::connect(&park).await;
    master.words(1, 0, 1).await;
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(master.words(1, 0, 1).await.len(), 1);
    // Put on while a connection is idle, it counts at once.
    park.faults().on("idle-close:50ms").unwrap();
    assert!(master.is_hung_up_on(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_rebooting_gateway_drops_everyone_and_comes_back() {
    let park = tcp(&[]).await;
    let mut master = Master::connect(&park).await;
    master.words(1, 0, 1).await;
    let began = Instant::now();
    park.faults().on("gateway-reboot:400ms").unwrap();
    assert!(master.is_hung_up_on(LONG).await);
    assert!(began.elapsed() < Duration::from_millis(350));
    let mut refused = 0;
    let mut master = loop {
        match TcpStream::connect(socket(&park, "main")).await {
            Ok(stream) => break Master { stream, asked: 0 },
            Err(_) => refused += 1,
        }
        assert!(began.elapsed() < LONG);
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(
        refused > 3 && began.elapsed() >= Duration::from_millis(390),
        "{refused}"
    );
    assert_eq!(master.words(1, 0, 1).await.len(), 1);
}

#[tokio::test]
async fn connections_are_refused_until_the_fault_is_off() {
    let park = tcp(&["refuse"]).await;
    let address = socket(&park, "main");
    until("it stops listening", || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
    park.faults().off("refuse").unwrap();
    until("it listens again", || {
        std::net::TcpStream::connect(address).is_ok()
    })
    .await;
}

#[tokio::test]
async fn every_second_question_is_hung_up_on() {
    let park = tcp(&["hang-up:2"]).await;
    let mut master = Master::connect(&park).await;
    master.words(1, 0, 1).await;
    master.ask(1, 0, 1).await;
    assert!(master.is_hung_up_on(LONG).await);
    assert_eq!(last(&park).outcome, rehearsal::log::Outcome::HungUp);
}

/// A master that hangs up does not end what is under way on the line behind a
/// gateway that passes RTU through: the next connection hears it.
#[tokio::test]
async fn a_late_answer_on_rtu_over_tcp_reaches_the_next_connection() {
    let park = encoding(At::RtuOverTcp(anywhere()), &["slow:2:300ms"]).await;
    let ask = line::question(1, 100, 2);
    let mut first = Master::connect(&park).await;
    first.stream.write_all(&ask).await.unwrap();
    let mut answer = [0; 9];
    first.stream.read_exact(&mut answer).await.unwrap();
    first.stream.write_all(&ask).await.unwrap();
    until("it is asked", || park.log().questions() == 2).await;
    drop(first);
    let mut second = Master::connect(&park).await;
    timeout(LONG, second.stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let pdu = line::pdu(&answer);
    let began = park.log().asked()[0].at;
    assert_eq!(
        park.log()
            .proves(0, 1, 3, 100, &words(&pdu), began)
            .unwrap()
            .sequence,
        1
    );
}

#[tokio::test]
async fn a_late_answer_on_tcp_dies_with_its_connection() {
    let park = tcp(&["slow:2:200ms"]).await;
    let mut first = Master::connect(&park).await;
    first.words(1, 0, 1).await;
    first.ask(1, 0, 1).await;
    until("it is asked", || park.log().questions() == 2).await;
    drop(first);
    let mut second = Master::connect(&park).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    second.hears_nothing().await;
}

#[tokio::test]
async fn what_is_no_modbus_ends_the_connection() {
    let park = tcp(&[]).await;
    let mut master = Master::connect(&park).await;
    master
        .stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert!(master.is_hung_up_on(LONG).await);
    assert_eq!(park.log().sockets(0).garbage, 18);
    assert_eq!(park.log().questions(), 0);
}

#[tokio::test]
async fn a_stopped_park_has_closed_its_ports() {
    let park = tcp(&[]).await;
    let address = socket(&park, "main");
    let mut master = Master::connect(&park).await;
    master.words(1, 0, 1).await;
    park.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
    assert!(master.is_hung_up_on(LONG).await);
}
