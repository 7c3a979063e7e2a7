//! A strict stand-in for InfluxDB 2 and 3, which are in no registry.
//!
//! It behaves as InfluxDB 2 documents itself: 204 stored; 400 for a malformed row,
//! nothing stored; 422 for a field type conflict, the rest stored; 401, 404, 413. It
//! InfluxDB 3's `/api/v3/write_lp` is in [`v3`]. It
//! keeps the union of fields with the newest value and remembers every key that ever
//! had two different values. It speaks one shape of Flux and refuses the rest. The
//! next answers can be scripted, also the cruel ones: stored, and the connection dies.

mod flux;
mod lines;
mod reply;
mod v3;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

pub use lines::Value;
use reply::{about, body_text, dying, error, pairs, reply, unauthorized, unpacked};

/// The organisation, bucket and token that exist at first.
pub const ORG: &str = "park";
pub const BUCKET: &str = "energy";
pub const TOKEN: &str = "the-token-of-the-test";
const ORG_ID: &str = "0000000000000001";

/// One value's place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub measurement: String,
    pub tags: Vec<(String, String)>,
    pub field: String,
    pub time_ns: i64,
}

/// Everything stored in a bucket.
pub type Shelf = BTreeMap<Key, Value>;

/// What happens to the next write.
#[derive(Debug, Clone)]
pub enum Next {
    /// This answer; nothing is stored.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Stored as is right, and the connection dies before the answer.
    StoreAndDrop,
    /// The connection dies; nothing is stored.
    Drop,
    /// A while passes first.
    Slow(Duration),
}

/// A write as it came in.
#[derive(Debug, Clone)]
pub struct Write {
    pub at: Instant,
    pub text: String,
    pub lines: usize,
    /// 0 where the connection died.
    pub status: u16,
}

pub struct Bucket {
    pub name: String,
    pub retention_s: u64,
    pub shelf: Shelf,
    /// Type of each field, fixed by the first value.
    types: HashMap<(String, String), &'static str>,
}

pub struct State {
    pub token: String,
    pub buckets: Vec<Bucket>,
    /// Text that is accepted in one write.
    pub max_bytes: usize,
    /// Whether the token may see organisations and buckets, or only write.
    pub narrow_token: bool,
    pub script: VecDeque<Next>,
    pub writes: Vec<Write>,
    /// A write with one of these in its text fails inside, and nothing of it is stored.
    pub fails_at: Vec<String>,
    /// Writes under way, and the most that ever were.
    under_way: usize,
    pub most_at_once: usize,
    pub queries: usize,
    /// What the next query gets instead of its answer.
    pub next_query: Option<String>,
    /// Keys that had two different values.
    pub torn: Vec<(Key, Value, Value)>,
}

impl Bucket {
    /// Stores a row, or says why not.
    fn shelve(
        &mut self,
        row: lines::Row,
        time_ns: i64,
        kept_from: i64,
        torn: &mut Vec<(Key, Value, Value)>,
    ) -> Result<(), String> {
        for (field, value) in &row.fields {
            let known = self.types.get(&(row.measurement.clone(), field.clone()));
            if let Some(known) = known.filter(|known| **known != value.kind()) {
                return Err(format!(
                    "field type conflict: input field {field:?} on measurement {:?} is type {}, already exists as type {known}",
                    row.measurement,
                    value.kind()
                ));
            }
        }
        if time_ns < kept_from {
            return Err("points beyond retention policy".to_owned());
        }
        for (field, value) in row.fields {
            self.types
                .entry((row.measurement.clone(), field.clone()))
                .or_insert(value.kind());
            let key = Key {
                measurement: row.measurement.clone(),
                tags: row.tags.clone(),
                field,
                time_ns,
            };
            if let Some(before) = self.shelf.insert(key.clone(), value.clone())
                && before != value
            {
                torn.push((key, before, value));
            }
        }
        Ok(())
    }
}

impl State {
    pub fn bucket(&mut self, name: &str) -> Option<&mut Bucket> {
        self.buckets.iter_mut().find(|bucket| bucket.name == name)
    }

    /// What is stored in the first bucket.
    pub fn shelf(&mut self) -> &mut Shelf {
        &mut self.buckets[0].shelf
    }

    pub fn add_bucket(&mut self, name: &str, retention_s: u64) {
        self.buckets.push(Bucket {
            name: name.to_owned(),
            retention_s,
            shelf: Shelf::new(),
            types: HashMap::new(),
        });
    }
}

/// A running stand-in; it ends with the runtime of its test.
#[derive(Clone)]
pub struct Influx {
    pub address: SocketAddr,
    prefix: String,
    state: Arc<Mutex<State>>,
}

impl Influx {
    /// Starts one below `prefix`, for example `/influx`, on a free port.
    pub async fn start_below(prefix: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut state = State {
            token: TOKEN.to_owned(),
            buckets: Vec::new(),
            max_bytes: usize::MAX,
            narrow_token: false,
            script: VecDeque::new(),
            writes: Vec::new(),
            fails_at: Vec::new(),
            under_way: 0,
            most_at_once: 0,
            queries: 0,
            next_query: None,
            torn: Vec::new(),
        };
        state.add_bucket(BUCKET, 0);
        let influx = Self {
            address: listener.local_addr().unwrap(),
            prefix: prefix.to_owned(),
            state: Arc::new(Mutex::new(state)),
        };
        let server = influx.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let server = server.clone();
                        async move {
                            let answer = server.serve(request).await;
                            if answer.extensions().get::<reply::Die>().is_some() {
                                return Err(std::io::Error::other("the connection dies"));
                            }
                            Ok(answer)
                        }
                    });
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(io, service)
                        .await;
                });
            }
        });
        influx
    }

    pub async fn start() -> Self {
        Self::start_below("").await
    }

    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.prefix)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn script(&self, next: impl IntoIterator<Item = Next>) {
        self.state().script.extend(next);
    }

    async fn serve(&self, request: Request<hyper::body::Incoming>) -> Response<Body> {
        {
            let mut state = self.state();
            state.under_way += 1;
            state.most_at_once = state.most_at_once.max(state.under_way);
        }
        let answer = self.answer(request).await;
        self.state().under_way -= 1;
        answer
    }

    async fn answer(&self, request: Request<hyper::body::Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), 64 << 20).await;
        let Ok(body) = body else {
            return error(400, "invalid", "the body broke off");
        };
        let Some(path) = parts.uri.path().strip_prefix(&self.prefix) else {
            return error(404, "not found", "path not found");
        };
        let query: HashMap<String, String> = pairs(parts.uri.query().unwrap_or(""));
        let open = match path {
            "/health" => Some(
                json!({"name":"influxdb","message":"ready for queries and writes","status":"pass","checks":[],"version":"v2.7.0-stand-in","commit":"0"}),
            ),
            "/ready" => Some(json!({"status":"ready","started":"2026-06-03T06:00:00Z","up":"1s"})),
            "/ping" => {
                return Response::builder()
                    .status(204)
                    .header("X-Influxdb-Version", "v2.7.0-stand-in")
                    .header("X-Influxdb-Build", "OSS")
                    .body(Body::empty())
                    .unwrap();
            }
            _ => None,
        };
        if let Some(open) = open {
            return reply(200, &open);
        }
        let writes = path == "/api/v2/write" || path == v3::WRITE;
        let scripted =
            (writes && parts.method == Method::POST).then(|| self.state().script.pop_front());
        match scripted.flatten() {
            Some(Next::Answer(status, headers, words)) => {
                self.note(&body_text(&parts.headers, &body), status);
                let mut answer = Response::builder().status(status);
                for (name, value) in headers {
                    answer = answer.header(name, value);
                }
                answer.body(Body::from(words)).unwrap()
            }
            Some(Next::Drop) => {
                self.note(&body_text(&parts.headers, &body), 0);
                dying()
            }
            Some(Next::StoreAndDrop) => {
                self.write(path, &query, &parts.headers, &body);
                if let Some(write) = self.state().writes.last_mut() {
                    write.status = 0;
                }
                dying()
            }
            Some(Next::Slow(wait)) => {
                tokio::time::sleep(wait).await;
                self.write(path, &query, &parts.headers, &body)
            }
            None => match (&parts.method, path) {
                (&Method::POST, _) if writes => self.write(path, &query, &parts.headers, &body),
                (&Method::POST, "/api/v2/query") => self.query(&query, &parts.headers, &body),
                (&Method::GET, "/api/v2/orgs") => self.orgs(&query, &parts.headers),
                (&Method::GET, "/api/v2/buckets") => self.buckets(&query, &parts.headers),
                (&Method::POST, "/api/v2/buckets") => self.create(&parts.headers, &body),
                _ => error(404, "not found", "path not found"),
            },
        }
    }

    fn note(&self, text: &str, status: u16) {
        self.state().writes.push(Write {
            at: Instant::now(),
            lines: text.lines().count(),
            text: text.to_owned(),
            status,
        });
    }

    fn allowed(&self, headers: &HeaderMap) -> bool {
        let given = headers.get("authorization").and_then(|v| v.to_str().ok());
        given == Some(&format!("Token {}", self.state().token))
    }

    fn write(
        &self,
        path: &str,
        query: &HashMap<String, String>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Response<Body> {
        let text = body_text(headers, body);
        let fails_at = self.state().fails_at.clone();
        let answer = if fails_at.iter().any(|part| text.contains(part)) {
            let mut answer = error(500, "internal error", "unexpected error writing points");
            answer.headers_mut().insert("retry-after", 1.into());
            answer
        } else if path == v3::WRITE {
            self.store_v3(query, headers, body)
        } else {
            self.store(query, headers, body)
        };
        self.note(&text, answer.status().as_u16());
        answer
    }

    fn store(
        &self,
        query: &HashMap<String, String>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Response<Body> {
        if !self.allowed(headers) {
            return unauthorized();
        }
        let get = |name: &str| query.get(name).map_or("", String::as_str);
        if !matches!(get("org"), ORG | ORG_ID) {
            let words = format!("organization name {:?} not found", get("org"));
            return error(404, "not found", &words);
        }
        let scale = match get("precision") {
            "" | "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => {
                return error(
                    400,
                    "invalid",
                    "invalid precision; valid precision units are ns, us, ms, and s",
                );
            }
        };
        let mut state = self.state();
        let limit = state.max_bytes;
        let Some(at) = state
            .buckets
            .iter()
            .position(|bucket| bucket.name == get("bucket"))
        else {
            let words = format!("bucket {:?} not found", get("bucket"));
            return error(404, "not found", &words);
        };
        let Ok(text) = unpacked(headers, body) else {
            return error(400, "invalid", "gzip: invalid header");
        };
        if text.len() > limit {
            return error(
                413,
                "request too large",
                "unable to read data: points batch is too large",
            );
        }
        if text.is_empty() {
            return error(400, "invalid", "writing requires points");
        }
        let mut rows = Vec::new();
        for line in text.lines() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            match lines::read(line) {
                Ok(row) => rows.push(row),
                Err(words) => return error(400, "invalid", &words),
            }
        }
        let now = jiff::Timestamp::now().as_nanosecond() as i64;
        let (mut dropped, mut first) = (0, String::new());
        let mut torn = Vec::new();
        let bucket = &mut state.buckets[at];
        let kept_from = match bucket.retention_s {
            0 => i64::MIN,
            seconds => now - i64::try_from(seconds).unwrap() * 1_000_000_000,
        };
        for row in rows {
            let time_ns = row.time.map_or(now, |time| time * scale);
            if let Err(words) = bucket.shelve(row, time_ns, kept_from, &mut torn) {
                dropped += 1;
                if first.is_empty() {
                    first = words;
                }
            }
        }
        state.torn.extend(torn);
        if dropped > 0 {
            let words = format!(
                "failure writing points to database: partial write: {first} dropped={dropped}"
            );
            return error(422, "unprocessable entity", &words);
        }
        Response::builder().status(204).body(Body::empty()).unwrap()
    }

    fn query(
        &self,
        query: &HashMap<String, String>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Response<Body> {
        if !self.allowed(headers) {
            return unauthorized();
        }
        if query
            .get("org")
            .is_none_or(|org| org != ORG && org != ORG_ID)
        {
            return error(404, "not found", "organization not found");
        }
        let asked: Json = serde_json::from_slice(body).unwrap_or_default();
        let asked = match flux::read(asked["query"].as_str().unwrap_or("")) {
            Ok(asked) => asked,
            Err(words) => return error(400, "invalid", &words),
        };
        let mut state = self.state();
        state.queries += 1;
        let Some(bucket) = state.bucket(&asked.bucket) else {
            let words = format!("could not find bucket {:?}", asked.bucket);
            return error(404, "not found", &words);
        };
        let csv = flux::answer(&asked, &bucket.shelf);
        let csv = state.next_query.take().unwrap_or(csv);
        Response::builder()
            .status(200)
            .header("content-type", "text/csv; charset=utf-8")
            .body(Body::from(csv))
            .unwrap()
    }

    fn orgs(&self, query: &HashMap<String, String>, headers: &HeaderMap) -> Response<Body> {
        if !self.allowed(headers) {
            return unauthorized();
        }
        let asked = query.get("org").map(String::as_str);
        if self.state().narrow_token || asked.is_some_and(|org| org != ORG) {
            let words = format!("organization name {:?} not found", asked.unwrap_or(""));
            return error(404, "not found", &words);
        }
        reply(
            200,
            &json!({"links":{"self":"/api/v2/orgs"},"orgs":[{"id":ORG_ID,"name":ORG,"links":{"self":format!("/api/v2/orgs/{ORG_ID}")},"createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z"}]}),
        )
    }

    fn buckets(&self, query: &HashMap<String, String>, headers: &HeaderMap) -> Response<Body> {
        if !self.allowed(headers) {
            return unauthorized();
        }
        let state = self.state();
        let wanted = query.get("name");
        let buckets: Vec<Json> = state
            .buckets
            .iter()
            .filter(|_| !state.narrow_token)
            .filter(|bucket| wanted.is_none_or(|name| *name == bucket.name))
            .map(about)
            .collect();
        reply(
            200,
            &json!({"links":{"self":"/api/v2/buckets"},"buckets":buckets}),
        )
    }

    fn create(&self, headers: &HeaderMap, body: &[u8]) -> Response<Body> {
        if !self.allowed(headers) {
            return unauthorized();
        }
        let asked: Json = serde_json::from_slice(body).unwrap_or_default();
        let (Some(name), Some(ORG_ID)) = (asked["name"].as_str(), asked["orgID"].as_str()) else {
            return error(400, "invalid", "a bucket needs a name and an organization");
        };
        let mut state = self.state();
        if state.narrow_token {
            return error(
                401,
                "unauthorized",
                "write:orgs/0000000000000001/buckets is unauthorized",
            );
        }
        if state.bucket(name).is_some() {
            let words = format!("bucket with name {name} already exists");
            return error(422, "conflict", &words);
        }
        let rule = &asked["retentionRules"][0];
        if !rule.is_null() && rule["type"] != "expire" {
            return error(400, "invalid", "invalid retention rule");
        }
        let seconds = rule["everySeconds"].as_u64().unwrap_or(0);
        if seconds > 0 && seconds < 3_600 {
            return error(
                422,
                "unprocessable entity",
                "expiration seconds must be at least 1 hour",
            );
        }
        state.add_bucket(name, seconds);
        reply(201, &about(state.bucket(name).unwrap()))
    }
}
