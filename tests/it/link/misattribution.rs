//! No value is ever taken for another, whatever the endpoints do.

use crate::support::misattribution::{HEALED, Kind, Size, run};

#[tokio::test(flavor = "multi_thread")]
async fn none_of_fifty_thousand_hostile_questions_brings_a_value_of_another() {
    let size = Size {
        requests: 50_000,
        endpoints: 20,
        timeout_ms: 7,
        seed: 3,
    };
    let tallies = run(size).await;
    let mut asked = 0;
    for (kind, tally) in &tallies {
        assert_eq!(tally.misattributed, Vec::<String>::new());
        assert_eq!(tally.healed, HEALED * size.endpoints, "{kind:?}: {tally:?}");
        // The judge has judged: a good deal was delivered, a good deal was not.
        assert!(tally.delivered > 0 && tally.gaps > 0, "{kind:?}: {tally:?}");
        assert!(tally.refused > 0, "{kind:?}: {tally:?}");
        println!("{kind:?}: {tally:?}");
        asked += tally.asked;
    }
    assert!(asked >= size.requests);
    assert!(tallies.iter().any(|(kind, _)| *kind == Kind::Serial));
}
