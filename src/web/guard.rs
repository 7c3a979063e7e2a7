//! What every request must be, and what every answer carries.
//!
//! A page on loopback has no password; what protects it is that a browser sends
//! the name it was asked for. A foreign site can make its own name point at
//! 127.0.0.1, but cannot make the browser send another one (DNS rebinding), so a
//! request under a name that is not ours is refused with 421. An address can not
//! be rebound, so a server that listens on every address answers under any of
//! them.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::server::Shared;

/// Names under which the server answers.
#[derive(Debug, Clone)]
pub struct Hosts {
    listen: IpAddr,
    names: Vec<String>,
}

impl Hosts {
    /// Loopback, the listen address, and the names of the configuration.
    #[must_use]
    pub fn new(listen: SocketAddr, names: &[String]) -> Self {
        let bare = |name: &String| bare(name).to_ascii_lowercase();
        Self {
            listen: listen.ip(),
            names: names.iter().map(bare).collect(),
        }
    }

    /// Whether a value of `Host` is ours. The port does not matter: a tunnel or a
    /// container may have changed it.
    #[must_use]
    pub fn allow(&self, host: &str) -> bool {
        let name = bare(host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        if let Ok(address) = name.parse::<IpAddr>() {
            return address.is_loopback()
                || address == self.listen
                || self.listen.is_unspecified()
                || self.names.iter().any(|allowed| allowed == name);
        }
        name == "localhost" || self.names.iter().any(|allowed| allowed == name)
    }
}

/// The host of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
fn bare(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match host.rsplit_once(':') {
        Some((name, _port)) if !name.contains(':') => name,
        _ => host,
    }
}

/// The one name a request is for, if it says one.
fn asked(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut said = headers.get_all(header::HOST).iter();
    let host = said.next()?.to_str().ok()?;
    if said.next().is_some() {
        return None;
    }
    match uri.authority() {
        // A request in absolute form names the host twice; both must be ours.
        Some(authority) if bare(authority.as_str()) != bare(host) => None,
        _ => Some(host.to_owned()),
    }
}

/// Where scripts, styles and data may come from: from here, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

/// Headers of every answer.
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Lets a request through that reads, has no body and is meant for us.
pub(super) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    shared.count_request();
    let mut response = match refuse(&shared.hosts, &request) {
        Some(refusal) => refusal,
        None => {
            let limit = shared.limits.answer;
            match tokio::time::timeout(limit, next.run(request)).await {
                Ok(response) => response,
                Err(_elapsed) => {
                    (StatusCode::GATEWAY_TIMEOUT, "the answer took too long\n").into_response()
                }
            }
        }
    };
    for (name, value) in HEADERS {
        let (name, value) = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        response.headers_mut().insert(name, value);
    }
    response
}

fn refuse(hosts: &Hosts, request: &Request) -> Option<Response> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allowed = [(header::ALLOW, "GET, HEAD"), (header::CONNECTION, "close")];
        let refusal = (StatusCode::METHOD_NOT_ALLOWED, allowed, "read only\n");
        return Some(refusal.into_response());
    }
    let ours = asked(request.uri(), request.headers()).is_some_and(|host| hosts.allow(&host));
    if !ours {
        let text = "this name is not ours; add it to `hosts` in [web] if it is\n";
        return Some((StatusCode::MISDIRECTED_REQUEST, text).into_response());
    }
    if !http_body_is_empty(request) {
        let close = [(header::CONNECTION, "close")];
        let refusal = (StatusCode::PAYLOAD_TOO_LARGE, close, "no body, please\n");
        return Some(refusal.into_response());
    }
    None
}

fn http_body_is_empty(request: &Request) -> bool {
    use hyper::body::Body as _;
    request.body().is_end_stream()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_are_ours() {
        let names = vec!["edge.park.example".to_owned(), "10.0.0.9".to_owned()];
        let hosts = Hosts::new("10.0.0.5:8080".parse().unwrap(), &names);
        for (host, ours) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.1", true),
            ("localhost:9", true),
            ("LOCALHOST", true),
            ("localhost.", true),
            ("[::1]:8080", true),
            ("::1", true),
            ("10.0.0.5:8080", true),
            ("10.0.0.9", true),
            ("Edge.Park.Example:80", true),
            ("10.0.0.6", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("edge.park.example.evil", false),
            ("", false),
        ] {
            assert_eq!(hosts.allow(host), ours, "{host}");
        }
    }

    #[test]
    fn a_server_on_every_address_answers_under_any_address_and_no_foreign_name() {
        let hosts = Hosts::new("0.0.0.0:8080".parse().unwrap(), &[]);
        assert!(hosts.allow("192.168.1.7:8080"));
        assert!(!hosts.allow("evil.example:8080"));
    }
}
