//! The commands from outside: the program that people start, its words, its files and
//! its exit codes.

mod again;
mod books;
mod calc;
mod check;
mod commission;
mod demo;
mod devices;
mod explain;
mod kpi;
mod losses;
mod plan;
mod probe;
mod refusals;
mod report;
mod scan;
mod secrets;
mod settled;
mod settlement;
mod simulate;
mod status;
mod store;
mod usage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::daemon::Daemon;
use crate::support::peer::free_port;

/// A file in a directory, with its path as an argument.
fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A park of one meter that nobody answers for, with further tables.
fn park(id: &str, store: &Path, tables: &str) -> String {
    format!(
        "[park]\nid = \"{id}\"\nname = \"A park\"\ntime_zone = \"Asia/Shanghai\"\n\
         [store]\ndir = \"{}\"\n\
         [web]\nlisten = \"127.0.0.1:0\"\n\
         [bus.main.tcp]\nhost = \"127.0.0.1\"\nport = {}\ntimeout = \"200ms\"\n\
         [[meter]]\nid = \"pcc\"\nrole = \"grid\"\nbus = \"main\"\n\
         [[meter.point]]\nquantity = \"power\"\naddress = 0\ntype = \"f32\"\n\
         {tables}\n",
        store.display(),
        free_port()
    )
}

/// A sink that delivers to `url` with the token in a file.
fn sink(url: &str, token: &str) -> String {
    format!(
        "[sink.local.influx]\nurl = \"{url}\"\norg = \"park\"\nbucket = \"energy\"\n\
         token = {{ file = \"{token}\" }}"
    )
}

/// A file that its owner alone can read.
fn secret(dir: &Path, name: &str, text: &str) -> String {
    let path = write(dir, name, text);
    mode(&path, 0o600);
    path
}

fn mode(path: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Every file below a directory, with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), content);
            }
        }
    }
    files
}

/// The books of a demo that has ended.
async fn books() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let demo = Daemon::demo(&["--data", dir.path().to_str().unwrap()]).await;
    demo.until("the first tick", |live| live["seq"].as_i64() > Some(0))
        .await;
    let ended = demo.end("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    dir
}
