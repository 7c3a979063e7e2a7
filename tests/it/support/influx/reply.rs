//! Requests taken apart and answers put together, as InfluxDB 2 words them.

use std::collections::HashMap;
use std::io::Read as _;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::{Value as Json, json};

use super::{Bucket, ORG_ID};

/// The connection is to die without an answer.
#[derive(Clone)]
pub struct Die;

pub fn about(bucket: &Bucket) -> Json {
    let mut rules = Vec::new();
    if bucket.retention_s > 0 {
        rules.push(json!({"type":"expire","everySeconds":bucket.retention_s,"shardGroupDurationSeconds":86400}));
    }
    json!({"id":"00000000000000b1","orgID":ORG_ID,"type":"user","name":bucket.name,"retentionRules":rules,
        "createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z",
        "links":{"self":"/api/v2/buckets/00000000000000b1","org":format!("/api/v2/orgs/{ORG_ID}")},"labels":[]})
}

pub fn pairs(query: &str) -> HashMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
    url.query_pairs().into_owned().collect()
}

pub fn unpacked(headers: &HeaderMap, body: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    if headers.get("content-encoding").is_some_and(|v| v == "gzip") {
        flate2::read::GzDecoder::new(body).read_to_string(&mut text)?;
    } else {
        (&mut &*body).read_to_string(&mut text)?;
    }
    Ok(text)
}

pub fn body_text(headers: &HeaderMap, body: &[u8]) -> String {
    unpacked(headers, body).unwrap_or_default()
}

pub fn reply(status: u16, body: &Json) -> Response<Body> {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", "application/json; charset=utf-8")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// An error as InfluxDB 2 words it.
pub fn error(status: u16, code: &str, message: &str) -> Response<Body> {
    reply(status, &json!({"code": code, "message": message}))
}

pub fn unauthorized() -> Response<Body> {
    error(401, "unauthorized", "unauthorized access")
}

pub fn dying() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Die);
    response
}
