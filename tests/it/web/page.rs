//! The page: its files, and what a browser makes of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Server;
use crate::support::http::{exchange, get};
use crate::support::show_park::Story;

#[tokio::test]
async fn every_file_of_the_page_is_there_with_its_type_and_its_tag() {
    let server = Server::usual();
    for asset in sunledger::web::assets::ASSETS {
        let answer = get(server.address, asset.path).await;
        assert_eq!(answer.code, 200, "{}", asset.path);
        assert_eq!(answer.body, asset.bytes, "{}", asset.path);
        assert_eq!(answer.header("content-type"), Some(asset.mime));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let tag = answer.header("etag").unwrap().to_owned();
        for (known, code) in [(tag.as_str(), 304), ("\"other\"", 200), ("*", 304)] {
            let request = format!(
                "GET {} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"x\", {known}\r\n\
                 Connection: close\r\n\r\n",
                asset.path
            );
            let again = exchange(server.address, &request).await;
            assert_eq!(again.code, code, "{} {known}", asset.path);
            assert_eq!(again.body.is_empty(), code == 304);
        }
    }
    for path in [
        "/assets/",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/x",
        "/index.php",
        "/assets/app.js/x",
    ] {
        assert_eq!(get(server.address, path).await.code, 404, "{path}");
    }
}

/// Ten times what the browser takes on a quiet machine.
const LONG: Duration = Duration::from_secs(300);

/// Runs a program to its end; a program that is not there fails with the way to get it.
async fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
    let run = tokio::process::Command::new(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .kill_on_drop(true)
        .output();
    let output = match timeout(LONG, run).await {
        Err(_elapsed) => panic!("{program} {arguments:?} does not end"),
        Ok(Err(error)) => panic!("{program}: {error}; apt-get install -y nodejs npm chromium"),
        Ok(Ok(output)) => output,
    };
    assert!(
        output.status.success(),
        "{program} {arguments:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_page_in_a_browser() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser"));
    let chromium = "/usr/bin/chromium";
    assert!(
        std::path::Path::new(chromium).exists(),
        "no {chromium}; apt-get install -y nodejs npm chromium fonts-wqy-microhei"
    );
    if !folder.join("node_modules/playwright-core").exists() {
        run("npm", &["ci", "--no-audit", "--no-fund"], &[]).await;
    }
    let stories = [Story::Fair, Story::Gaps, Story::Night];
    let servers: Arc<Vec<Server>> =
        Arc::new(stories.map(|story| Server::start(story, |_| ())).into());
    let ticking = Arc::clone(&servers);
    let ticks = tokio::spawn(async move {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        for second in 0.. {
            seconds.tick().await;
            for server in ticking.iter() {
                server.tick(second);
            }
        }
    });
    let urls: Vec<String> = servers
        .iter()
        .map(|server| format!("http://{}", server.address))
        .collect();
    let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots");
    let variables = [
        ("FAIR_URL", urls[0].as_str()),
        ("GAPS_URL", urls[1].as_str()),
        ("NIGHT_URL", urls[2].as_str()),
        ("SCREENSHOTS", pictures),
    ];
    let arguments = ["--test", "pure.test.mjs", "page.test.mjs"];
    run("node", &arguments, &variables).await;
    let picture = format!("{pictures}/picture.png");
    run(
        "node",
        &["picture.mjs", urls[0].as_str(), picture.as_str()],
        &[],
    )
    .await;
    assert!(std::fs::metadata(picture).unwrap().len() > 50_000);
    ticks.abort();
}
