//! SIGTERM while others do not answer: a database, a meter, the disk.

use std::time::Instant;

use tokio::net::TcpListener;

use super::PATIENCE;
use super::daemon::{Site, park, stored_until};
use super::manager::hang;

#[tokio::test]
async fn neither_a_silent_database_nor_a_silent_meter_holds_up_the_end() {
    let park = park().await;
    park.faults().dead("ceramics", true).unwrap();
    // It takes connections and requests, and says nothing.
    let database = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", database.local_addr().unwrap());
    let (asked, mut was_asked) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((connection, _)) = database.accept().await {
            silent.push(connection);
            let _ = asked.send(()).await;
        }
    });
    let secret = tempfile::tempdir().unwrap();
    let token = secret.path().join("token");
    std::fs::write(&token, "secret\n").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let site = Site::with(&park, |text| {
        format!(
            "{text}\n[sink.local.influx]\nurl = \"{url}\"\norg = \"park\"\nbucket = \"energy\"\n\
             token = {{ file = \"{}\" }}\n",
            token.display()
        )
    });
    let start = Instant::now();
    let daemon = site.start();
    site.manager.hears(start, "READY=1", 1).await;
    let connected = tokio::time::timeout(PATIENCE, was_asked.recv()).await;
    assert!(connected.is_ok(), "the database is asked\n{}", site.log());
    site.until("counts what waits", |live| {
        live["sinks"][0]["backlog_points"].as_u64() > Some(0)
    })
    .await;
    daemon.ends_well(&site).await;
    park.stop().await;
}

#[tokio::test]
async fn a_disk_that_hangs_does_not_hold_up_the_end() {
    let park = park().await;
    let site = Site::of(&park);
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    hang(&site, &[]).await;
    let (status, _) = daemon.terminate().await;
    assert!(status.success(), "{status}\n{}", site.log());
    assert!(
        site.log().contains("The disk did not take the last batch"),
        "{}",
        site.log()
    );
    park.stop().await;
}
