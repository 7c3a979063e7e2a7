//! InfluxDB 3's write API: good lines are stored beside bad ones, which are named.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use serde_json::json;

use super::reply::{reply, unpacked};
use super::{Influx, lines};

/// Its path.
pub const WRITE: &str = "/api/v3/write_lp";
/// Most lines that one answer names.
const MOST: usize = 100;

impl Influx {
    pub(super) fn store_v3(
        &self,
        query: &HashMap<String, String>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Response<Body> {
        let refuse = |status: u16, words: &str| reply(status, &json!({ "error": words }));
        let given = headers.get("authorization").and_then(|v| v.to_str().ok());
        if given != Some(&format!("Bearer {}", self.state().token)) {
            return refuse(401, "cannot authenticate token");
        }
        let get = |name: &str| query.get(name).map_or("", String::as_str);
        if get("precision") != "millisecond" || get("accept_partial") != "true" {
            return refuse(
                400,
                "the stand-in knows millisecond and partial writes alone",
            );
        }
        let Ok(text) = unpacked(headers, body) else {
            return refuse(400, "invalid gzip");
        };
        let mut state = self.state();
        if text.len() > state.max_bytes {
            return refuse(413, "request body too large");
        }
        // A database comes about with the first write to it.
        if state.bucket(get("db")).is_none() {
            state.add_bucket(get("db"), 0);
        }
        let (mut bad, mut torn) = (Vec::new(), Vec::new());
        let bucket = state.bucket(get("db")).unwrap();
        for (place, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let stored = lines::read(line).and_then(|row| {
                let time_ns = row.time.ok_or("the stand-in wants a time")? * 1_000_000;
                bucket.shelve(row, time_ns, i64::MIN, &mut torn)
            });
            if let Err(words) = stored {
                bad.push(json!({
                    "original_line": line,
                    "line_number": place + 1,
                    "error_message": words,
                }));
            }
        }
        state.torn.extend(torn);
        if bad.is_empty() {
            return Response::builder().status(204).body(Body::empty()).unwrap();
        }
        bad.truncate(MOST);
        let words = "partial write of line protocol occurred";
        reply(400, &json!({ "error": words, "data": bad }))
    }
}
