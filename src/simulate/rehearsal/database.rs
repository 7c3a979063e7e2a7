//! A database that takes everything and keeps nothing but counts, so that its absence
//! can be rehearsed. It listens on the loopback and asks nobody for a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::faults::Faults;

/// What it was sent.
#[derive(Debug, Default)]
pub struct Written {
    /// Writes that were taken.
    pub taken: AtomicU64,
    /// Writes that were not.
    pub refused: AtomicU64,
    /// Bytes of those that were, as they came.
    pub bytes: AtomicU64,
}

#[derive(Clone)]
struct Database {
    written: Arc<Written>,
    faults: Faults,
}

/// Serves writes until it is told to stop.
pub async fn serve(
    listener: TcpListener,
    faults: Faults,
    written: Arc<Written>,
    stop: CancellationToken,
) {
    let database = Database { written, faults };
    let app = Router::new()
        .route("/api/v2/write", post(write))
        .route("/health", get(health))
        .route("/ping", get(health))
        .with_state(database);
    let served = async { axum::serve(listener, app).await };
    if let Some(Err(error)) = stop.run_until_cancelled(served).await {
        tracing::warn!(%error, "The simulated database stopped.");
    }
}

async fn write(State(database): State<Database>, lines: Bytes) -> StatusCode {
    if let Some(status) = database.faults.database_down() {
        database.written.refused.fetch_add(1, Ordering::Relaxed);
        return StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    }
    let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    database.written.bytes.fetch_add(length, Ordering::Relaxed);
    database.written.taken.fetch_add(1, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

async fn health(State(database): State<Database>) -> StatusCode {
    match database.faults.database_down() {
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
        None => StatusCode::OK,
    }
}
