//! The live stream: server-sent events.
//!
//! ```text
//!   retry ▸ live ▸ ping ▸ live ▸ live ▸ … ▸ ping ▸ … ▸ bye
//! ```
//!
//! Every `live` is the complete view, so a lost one costs nothing: a slow reader
//! gets the newest when it is ready, never a queue. `ping` carries the server's
//! time; a reader that misses three knows that the line is dead.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use super::live::{Frame, VERSION};
use super::server::Shared;

/// After how long a browser connects again to a line that broke.
const RETRY_MS: u32 = 3_000;

/// After how long it comes back to a daemon that said goodbye: a restart is over by then.
const RETRY_AFTER_BYE_MS: u32 = 5_000;

/// What is sent next.
enum Phase {
    Hello,
    First,
    Running,
    Over,
}

struct Live {
    phase: Phase,
    frames: watch::Receiver<Arc<Frame>>,
    pings: Interval,
    end: Instant,
    stop: CancellationToken,
    shared: Shared,
    /// Held as long as the stream lives.
    _place: OwnedSemaphorePermit,
}

/// `GET /api/v1/live/stream`
pub(super) async fn stream(State(shared): State<Shared>) -> Response {
    let Ok(place) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let busy = [(RETRY_AFTER, "5")];
        let text = "every live stream is taken; /api/v1/live answers\n";
        return (StatusCode::SERVICE_UNAVAILABLE, busy, text).into_response();
    };
    let now = crate::sys::clock::mono();
    let every = shared.limits.ping_every;
    let mut pings = interval_at(now + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let live = Live {
        phase: Phase::Hello,
        frames: shared.services.live.clone(),
        pings,
        end: now + shared.limits.stream_age,
        stop: shared.stop.clone(),
        shared,
        _place: place,
    };
    let events = futures_util::stream::unfold(live, |live| async {
        let (bytes, live) = live.next().await?;
        Some((Ok::<_, Infallible>(bytes), live))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // A proxy that buffers would make the page look stale.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(events)).into_response()
}

impl Live {
    /// The next event; `None` ends the stream.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let bytes = match self.phase {
            Phase::Hello => {
                self.phase = Phase::First;
                let retry = format!("retry: {RETRY_MS}\n");
                let live = self.frames.borrow_and_update().event();
                [Bytes::from(retry), live].concat().into()
            }
            Phase::First => {
                self.phase = Phase::Running;
                self.ping()
            }
            Phase::Running => tokio::select! {
                biased;
                () = self.stop.cancelled() => self.bye(),
                () = sleep_until(self.end) => return None,
                _ = self.pings.tick() => self.ping(),
                changed = self.frames.changed() => match changed {
                    Ok(()) => self.frames.borrow_and_update().event(),
                    Err(_gone) => self.bye(),
                },
            },
            Phase::Over => return None,
        };
        Some((bytes, self))
    }

    fn ping(&self) -> Bytes {
        let place = &self.shared.place;
        let time = place.rfc3339((self.shared.services.now)());
        let data = serde_json::json!({ "time": time, "version": VERSION });
        Bytes::from(format!("event: ping\ndata: {data}\n\n"))
    }

    /// The last event: come back in a while.
    fn bye(&mut self) -> Bytes {
        self.phase = Phase::Over;
        Bytes::from(format!(
            "retry: {RETRY_AFTER_BYE_MS}\nevent: bye\ndata: {{}}\n\n"
        ))
    }
}
