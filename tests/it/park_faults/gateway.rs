//! A gateway that bears one connection, closes it when it is idle, and restarts.

use std::time::Duration;

use jiff::SignedDuration;
use sunledger::domain::quality::Reason;
use sunledger::simulate::rehearsal::{At, Settings};
use sunledger::sys::clock;

use super::{Meter, Site, anywhere};

/// Nothing is late here, on whatever machine.
const TIMEOUT: Duration = Duration::from_secs(5);
const PERIOD_MS: u64 = 1_000;
/// How long the gateway is away.
const REBOOT: SignedDuration = SignedDuration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn ten_units_share_one_connection_and_are_back_after_their_gateway_restarts() {
    let meters = (1..=10).map(|unit| Meter::new(0, unit, 3, 100));
    let settings = Settings::encoding(At::Tcp(anywhere()), TIMEOUT);
    let faults = ["max-sockets:1", "idle-close:300ms"];
    let site = Site::start(settings, &faults, meters.collect(), PERIOD_MS).await;
    let began = site.park.began();
    site.all_heard("everyone is heard", began, |_| true).await;
    site.until("idle connections are closed", |site| {
        site.park.log().sockets(0).taken >= 5
    })
    .await;
    let gaps = site.judged();
    assert_eq!(
        gaps.gaps(),
        [],
        "a connection that was idle is nobody's gap"
    );

    let down = clock::wall();
    site.park.faults().on("gateway-reboot:1s").unwrap();
    site.all_heard("everyone is back", down + REBOOT, |_| true)
        .await;
    let back = clock::wall().as_millisecond();
    let sockets = site.park.log().sockets(0);
    assert_eq!((sockets.most_open, sockets.turned_away), (1, 0));
    assert_eq!(sockets.garbage, 0);
    let judged = site.end().await;
    let gaps = judged.gaps();
    assert!(!gaps.is_empty(), "it was away");
    for (meter, at, reason) in gaps {
        assert_eq!(reason, Reason::Connect, "{meter}");
        let away = down.as_millisecond() - 1_000..back;
        assert!(away.contains(&at), "{meter}: {at} is not within {away:?}");
    }
}
