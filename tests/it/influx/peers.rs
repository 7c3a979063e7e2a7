//! Programs of others: a real receiver, and a real client for the stand-in.

use crate::support::influx::{BUCKET, Influx, ORG, TOKEN};
use crate::support::peer::python_with;
use crate::support::shipping::{Rig, tick_since};
use crate::support::victoria::Victoria;

#[tokio::test]
async fn a_real_receiver_has_every_value() {
    let victoria = Victoria::anywhere().await;
    let mut rig = Rig::new(victoria.base());
    rig.start();
    let hour_ago = jiff::Timestamp::now().as_millisecond() - 3_600_000;
    for n in 0..20 {
        rig.commit(&tick_since(hour_ago, n, 40));
    }
    let last = rig.commit(&format!(
        "balance,carrier=electricity,park=fanshi load_w=1284000.123456789,export_w=-0.0,tiny_w=1e-9 {hour_ago}\n"
    ));
    rig.settled(last).await;
    // A second time, as after a lost answer.
    let mut again = Rig::new(victoria.base());
    again.start();
    let seq = again.commit(&tick_since(hour_ago, 3, 40));
    again.settled(seq).await;

    victoria.holds_exactly(&rig.journal.text()).await;
}

/// The stand-in is held to what InfluxDB's own client for Python expects of a server.
#[tokio::test]
async fn the_stand_in_serves_influxdbs_own_client() {
    let influx = Influx::start().await;
    let python = tokio::task::spawn_blocking(|| python_with("influxdb-client"));
    let output = tokio::process::Command::new(python.await.unwrap())
        .args([
            "-c",
            include_str!("client.py"),
            &influx.url(),
            TOKEN,
            ORG,
            BUCKET,
        ])
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(influx.state().torn.len() == 1, "the one key it wrote twice");
}
