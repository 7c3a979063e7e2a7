//! Whether the daemon does its work.
//!
//! Ready is: it polls and it persists. A sink that is down degrades it and no
//! more, because its data waits on disk.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::server::Shared;

/// What keeps the daemon from its work, one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Why it does not poll or persist; empty when it does both.
    pub unready: Vec<String>,
    /// What else is wrong: a sink that is down, a clock that cannot be trusted.
    pub degraded: Vec<String>,
}

#[derive(Serialize)]
struct HealthJson {
    status: &'static str,
    reasons: Vec<String>,
    version: &'static str,
}

impl Health {
    fn json(self) -> HealthJson {
        let status = match (self.unready.is_empty(), self.degraded.is_empty()) {
            (false, _) => "unready",
            (true, false) => "degraded",
            (true, true) => "ready",
        };
        let mut reasons = self.unready;
        reasons.extend(self.degraded);
        HealthJson {
            status,
            reasons,
            version: super::live::VERSION,
        }
    }
}

/// `GET /livez`: this process answers.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 503 with the reasons while it does not poll or persist.
pub(super) async fn readyz(State(shared): State<Shared>) -> Response {
    let health = (shared.services.health)();
    let code = if health.unready.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(health.json())).into_response()
}

/// `GET /api/v1/health`: the same, always with 200.
pub(super) async fn health(State(shared): State<Shared>) -> Response {
    Json((shared.services.health)().json()).into_response()
}
