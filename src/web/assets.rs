//! The page: plain HTML, CSS and ES modules, embedded in the binary.
//!
//! Nothing builds, nothing is fetched from elsewhere. To add a file, add its row
//! to [`ASSETS`]. A browser keeps what it has and asks each time whether it still
//! holds (`no-cache` with an ETag), so a new version is seen at once.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// One embedded file.
pub struct Asset {
    /// Its path behind the host.
    pub path: &'static str,
    /// Its type.
    pub mime: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Every file of the page.
#[rustfmt::skip]
pub const ASSETS: &[Asset] = &[
    Asset { path: "/",                  mime: HTML,   bytes: include_bytes!("assets/index.html") },
    Asset { path: "/assets/app.css",    mime: CSS,    bytes: include_bytes!("assets/app.css") },
    Asset { path: "/assets/icon.svg",   mime: SVG,    bytes: include_bytes!("assets/icon.svg") },
    Asset { path: "/assets/app.js",     mime: SCRIPT, bytes: include_bytes!("assets/app.js") },
    Asset { path: "/assets/books.js",   mime: SCRIPT, bytes: include_bytes!("assets/books.js") },
    Asset { path: "/assets/cards.js",   mime: SCRIPT, bytes: include_bytes!("assets/cards.js") },
    Asset { path: "/assets/chart.js",   mime: SCRIPT, bytes: include_bytes!("assets/chart.js") },
    Asset { path: "/assets/day.js",     mime: SCRIPT, bytes: include_bytes!("assets/day.js") },
    Asset { path: "/assets/dom.js",     mime: SCRIPT, bytes: include_bytes!("assets/dom.js") },
    Asset { path: "/assets/flow.js",    mime: SCRIPT, bytes: include_bytes!("assets/flow.js") },
    Asset { path: "/assets/fmt.js",     mime: SCRIPT, bytes: include_bytes!("assets/fmt.js") },
    Asset { path: "/assets/i18n.js",    mime: SCRIPT, bytes: include_bytes!("assets/i18n.js") },
    Asset { path: "/assets/model.js",   mime: SCRIPT, bytes: include_bytes!("assets/model.js") },
    Asset { path: "/assets/stream.js",  mime: SCRIPT, bytes: include_bytes!("assets/stream.js") },
    Asset { path: "/assets/tables.js",  mime: SCRIPT, bytes: include_bytes!("assets/tables.js") },
    Asset { path: "/assets/terms.js",   mime: SCRIPT, bytes: include_bytes!("assets/terms.js") },
];

/// The ETag of each asset, in the order of [`ASSETS`].
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |asset: &Asset| {
        let checksum = crc32c::crc32c(asset.bytes);
        format!("\"{:x}-{checksum:08x}\"", asset.bytes.len())
    };
    ASSETS.iter().map(tag).collect()
});

/// `GET /`
pub(super) async fn page(headers: HeaderMap) -> Response {
    answer("/", &headers)
}

/// `GET /assets/…`
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer(&format!("/assets/{name}"), &headers)
}

fn answer(path: &str, headers: &HeaderMap) -> Response {
    let found = ASSETS
        .iter()
        .zip(TAGS.iter())
        .find(|(asset, _)| asset.path == path);
    let Some((asset, tag)) = found else {
        return (StatusCode::NOT_FOUND, "no such page\n").into_response();
    };
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(asset.bytes));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(asset.mime));
        response
    };
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
