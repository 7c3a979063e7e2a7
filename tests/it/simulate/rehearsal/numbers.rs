//! What goes wrong with the numbers of a meter, read over its socket.

use super::*;

use sunledger::simulate::rehearsal::faults::NoFault;

async fn park() -> (Rehearsal, Master) {
    let park = rehearsal::start(metering(At::Tcp(anywhere())))
        .await
        .unwrap();
    let master = Master::connect(&park).await;
    (park, master)
}

fn long(words: &[u16]) -> u32 {
    u32::from(words[0]) << 16 | u32::from(words[1])
}

/// The counter: 10 mWh a count.
async fn counter(master: &mut Master) -> u32 {
    long(&master.words(7, 2, 2).await)
}

#[tokio::test]
async fn a_counter_counts_what_the_park_knows_to_have_flowed() {
    let (park, mut master) = park().await;
    assert_eq!(*names(&park)[0], *"pcc");
    let counts = |wh: f64| (wh * 100.0).floor();
    let flowed = |park: &Rehearsal| park.flowed(park.now())[0].wh;
    let before = flowed(&park);
    let first = counter(&mut master).await;
    let after = flowed(&park);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let least = flowed(&park) - after;
    let second = counter(&mut master).await;
    let most = flowed(&park) - before;
    let counted = f64::from(second - first);
    assert!(
        counted >= counts(least) - 1.0 && counted <= counts(most) + 1.0,
        "{counted}"
    );
    assert!(counted > 100.0, "it moves: {counted}");
}

#[tokio::test]
async fn holes_and_strangers_are_refused() {
    let (_park, mut master) = park().await;
    for (unit, address, count, code) in [(7, 4, 1, 2), (7, 0, 7, 2), (9, 0, 2, 11)] {
        master.ask(unit, address, count).await;
        assert_eq!(
            master.hear().await.unwrap().2,
            [0x83, code],
            "{unit} {address}"
        );
    }
}

#[tokio::test]
async fn numbers_go_wrong_as_the_fault_says() {
    let (park, mut master) = park().await;
    let volts = master.words(7, 6, 1).await[0];
    assert!((2_280..2_320).contains(&volts), "{volts}");
    assert_eq!(master.words(7, 40, 2).await, [0x4142, 0x4300], "its name");

    park.faults().on("sentinels:pcc").unwrap();
    assert_eq!(master.words(7, 0, 2).await, [0x7FFF, 0xFFFF]);
    assert_eq!(master.words(7, 2, 2).await, [0xFFFF, 0xFFFF]);
    assert_eq!(master.words(7, 6, 1).await, [0xFFFF]);
    park.faults().off("sentinels:pcc").unwrap();

    park.faults().on("frozen:main/7").unwrap();
    let frozen = counter(&mut master).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(counter(&mut master).await, frozen);
    park.faults().on("swapped-words").unwrap();
    assert_eq!(counter(&mut master).await, frozen.rotate_left(16));
    park.faults().off("*").unwrap();
    assert!(
        counter(&mut master).await > frozen,
        "it went on behind the glass"
    );

    park.faults().on("spike:2:5000000").unwrap();
    let said = [
        counter(&mut master).await,
        counter(&mut master).await,
        counter(&mut master).await,
    ];
    assert!(
        said[1] > said[0] + 4_999_999 && said[2] < said[1],
        "{said:?}"
    );
    park.faults().off("*").unwrap();

    let honest = i64::from(long(&master.words(7, 0, 2).await));
    park.faults().on("reversed-ct:pcc:l1").unwrap();
    let reversed = i64::from(long(&master.words(7, 0, 2).await));
    // 1 − 2 × 0.36 of the whole is left.
    assert!(
        (reversed * 100 / honest - 28).abs() <= 1,
        "{reversed} of {honest}"
    );
}

#[tokio::test]
async fn counters_are_reset_exchanged_and_turn_over() {
    let (park, mut master) = park().await;
    assert!(counter(&mut master).await > 1_000_000);
    park.faults().on("counter-reset:pcc").unwrap();
    let reset = counter(&mut master).await;
    assert!(reset < 10_000, "{reset}");
    park.faults().on("counter-exchange:pcc:77000000").unwrap();
    let exchanged = counter(&mut master).await;
    assert!((77_000_000..77_010_000).contains(&exchanged), "{exchanged}");
    park.faults().on("counter-rollover").unwrap();
    let high = counter(&mut master).await;
    let passed = high.wrapping_add(4);
    assert!(
        passed < 10_000,
        "{high} is three below the end, or just beyond"
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    let turned = counter(&mut master).await;
    assert!(turned < 10_000, "{turned}");
}

#[tokio::test]
async fn a_fault_at_a_place_that_is_not_there_is_no_fault() {
    let (park, _master) = park().await;
    let said = park.faults().on("dead:attic");
    assert!(matches!(said, Err(NoFault::Target { .. })), "{said:?}");
    assert!(park.faults().off("flood").is_err() && park.faults().off("dead:attic").is_err());
    assert_eq!(park.faults().off("dead:pcc"), Ok(0));
}
