//! The thread that owns the store.

use std::fs;
use std::time::Duration;

use sunledger::store::{Reader, StoreThread};

use crate::support::store::*;

#[tokio::test]
async fn the_thread_commits_in_order_and_closes_the_ledger_when_the_last_handle_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(settings(dir.path()));
    let (thread, handle) = StoreThread::start(store, sunledger_now).unwrap();
    let stats = handle.stats();
    let mut committed = stats.committed();
    assert_eq!(*committed.borrow(), 0);
    for second in 0..3 {
        let done = handle.commit(batch(second)).await.unwrap();
        assert!(committed.has_changed().unwrap());
        assert_eq!(*committed.borrow_and_update(), done.seq);
        assert_eq!(stats.stored_until(), Some(at(second)));
    }
    assert!(stats.idle_for(sunledger_now()).is_some());
    handle.clone().advance("local", 2).await.unwrap();
    drop(handle);
    assert!(tokio::task::spawn_blocking(|| thread.join()).await.unwrap());
    let (_store, recovered) = open(settings(dir.path()));
    assert_eq!((recovered.covered_seq, recovered.tail.count()), (3, 0));
    assert_eq!(recovered.cursors, [("local".to_owned(), 2)]);
}

#[tokio::test]
async fn a_store_that_stands_still_confirms_nothing_and_goes_on_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(settings(dir.path()));
    let (_thread, handle) = StoreThread::start(store, sunledger_now).unwrap();
    handle.stall(Duration::from_millis(500)).await;
    let before = handle.stats().last_commit();
    let mut commit = Box::pin(handle.commit(batch(0)));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut commit).await;
    assert!(early.is_err());
    assert_eq!(handle.stats().last_commit(), before);
    assert_eq!(commit.await.unwrap().seq, 1);
}

#[tokio::test]
async fn a_refused_batch_comes_back_and_is_stored_by_the_next_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(settings(dir.path()));
    let (_thread, handle) = StoreThread::start(store, sunledger_now).unwrap();
    // The first append creates a segment, which a missing folder refuses.
    let (journal, away) = (dir.path().join("journal"), dir.path().join("away"));
    fs::rename(&journal, &away).unwrap();
    let refused = handle.commit(batch(0)).await.unwrap_err();
    assert_eq!(refused.error.exit_code(), 74);
    let trouble = handle.stats().trouble().expect("it is said");
    assert!(trouble.contains("No such file"), "{trouble}");
    assert_eq!(*handle.stats().committed().borrow(), 0);
    fs::rename(&away, &journal).unwrap();
    let committed = handle.commit(refused.batch.unwrap()).await.unwrap();
    assert_eq!(committed.seq, 1);
    assert_eq!(handle.stats().trouble(), None);
    assert_eq!(handle.stats().failures(), 1);
    let block = Reader::new(dir.path())
        .unwrap()
        .next_after(0, None)
        .unwrap()
        .unwrap();
    assert_eq!(block.text, batch(0).lines);
}
