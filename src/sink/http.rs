//! The way to a database: address, TLS, proxy.
//!
//! A path in the address is kept, so a database behind a reverse proxy is reached
//! (`https://host/influx/` becomes `https://host/influx/api/v2/write`). TLS trusts
//! the system's certificates and, beside them, the operator's own. Proxies come
//! from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`); an address of
//! this machine never goes through one. Redirects are not followed: a token goes to
//! the host in the configuration and to no other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Time to reach the server: longer than a lost packet or two on a mobile link.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for a whole request: longer than a loaded database takes for a batch.
const REQUEST: Duration = Duration::from_secs(30);
/// An idle connection is kept this long; a sink sends every second.
const IDLE: Duration = Duration::from_secs(60);

/// Why a database cannot even be asked.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// The address is not one.
    #[error("`{url}` {fact}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        fact: String,
    },
    /// A file of certificates or of a key.
    #[error("{what} {}: {fact}", path.display())]
    File {
        /// What it is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fact: String,
    },
    /// The token.
    #[error("{0}")]
    Login(String),
    /// The client does not come about.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Reads an address: `http` or `https`, a host, no login, no query.
///
/// # Errors
///
/// [`WayError::Address`] with what is wrong.
pub fn address(text: &str) -> Result<Url, WayError> {
    let refuse = |fact: &str| WayError::Address {
        url: text.to_owned(),
        fact: fact.to_owned(),
    };
    let url: Url = text
        .parse()
        .map_err(|error| refuse(&format!("is not an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        Err(refuse("starts with neither http:// nor https://"))
    } else if url.host_str().is_none_or(str::is_empty) {
        Err(refuse("names no host"))
    } else if !url.username().is_empty() || url.password().is_some() {
        // The text has a secret in it.
        Err(WayError::Address {
            url: format!("{}://…@{}", url.scheme(), url.host_str().unwrap_or("")),
            fact: "has a login in it; `token` or `password` is the place for it".to_owned(),
        })
    } else if url.query().is_some() || url.fragment().is_some() {
        Err(refuse("ends in a query; only a path may follow the host"))
    } else {
        Ok(url)
    }
}

/// `base` with `path` behind its own.
#[must_use]
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let own = base.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{own}/{}", path.trim_start_matches('/')));
    url
}

/// What TLS needs beside the system's certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, with those between it and the authority, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A client for `url` that trusts the system's certificates and those of `trust`, and
/// shows the certificate of `trust` to a server that asks for one.
///
/// # Errors
///
/// [`WayError`] where a file cannot be read or does not hold what it is for.
pub fn client(url: &Url, trust: &Trust) -> Result<reqwest::Client, WayError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(trust)?)
        .connect_timeout(CONNECT)
        .timeout(REQUEST)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("sunledger/", env!("CARGO_PKG_VERSION")));
    if is_this_machine(url) {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| WayError::Tls(sentence(&error)))
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("");
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn tls(trust: &Trust) -> Result<rustls::ClientConfig, WayError> {
    let mut roots = rustls::RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = &trust.ca_file {
        for certificate in certificates("CA file", path)? {
            let added = roots.add(certificate);
            added.map_err(|error| refuse("CA file", path, error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| WayError::Tls(error.to_string()))?
        .with_root_certificates(roots);
    let Some((cert_file, key_file)) = &trust.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates("certificate file", cert_file)?;
    let refuse_key = |fact: String| refuse("key file", key_file, fact);
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| match error {
        pem::Error::NoItemsFound => refuse_key("holds no private key".to_owned()),
        error => refuse_key(error.to_string()),
    })?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| refuse_key(format!("does not go with the certificate: {error}")))
}

fn refuse(what: &'static str, path: &Path, fact: String) -> WayError {
    WayError::File {
        what,
        path: path.to_owned(),
        fact,
    }
}

/// Every certificate of a file, at least one.
fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, WayError> {
    let read = |error: pem::Error| refuse(what, path, error.to_string());
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(read)?.collect();
    let all = all.map_err(read)?;
    if all.is_empty() {
        return Err(refuse(what, path, "holds no certificate".to_owned()));
    }
    Ok(all)
}

/// An error with its causes, without an address, which may hold what a log should not.
#[must_use]
pub fn sentence(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    super::answer::one_line(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept() {
        #[rustfmt::skip]
        let cases = [
            ("http://127.0.0.1:8086",  "http://127.0.0.1:8086/api/v2/write"),
            ("http://127.0.0.1:8086/", "http://127.0.0.1:8086/api/v2/write"),
            ("https://host/influx",    "https://host/influx/api/v2/write"),
            ("https://host/influx/",   "https://host/influx/api/v2/write"),
            ("https://host/a/b/",      "https://host/a/b/api/v2/write"),
        ];
        for (base, full) in cases {
            let url = below(&address(base).unwrap(), "/api/v2/write");
            assert_eq!(url.as_str(), full);
        }
    }

    #[test]
    fn an_address_that_cannot_work_is_refused_with_a_reason() {
        #[rustfmt::skip]
        let cases = [
            ("influx",                "is not an address"),
            ("ftp://host",            "starts with neither"),
            ("https://u:geheim@host", "has a login in it"),
            ("https://host/?org=x",   "ends in a query"),
        ];
        for (text, fact) in cases {
            let words = address(text).unwrap_err().to_string();
            assert!(words.contains(fact), "{words}");
            assert!(!words.contains("geheim"), "{words}");
        }
    }

    #[test]
    fn this_machine_is_never_asked_through_a_proxy() {
        for text in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost/x"] {
            assert!(is_this_machine(&address(text).unwrap()), "{text}");
        }
        assert!(!is_this_machine(&address("http://10.0.0.1").unwrap()));
    }

    #[test]
    fn a_file_that_does_not_hold_what_it_is_for_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let empty = file.path().to_path_buf();
        let gone = PathBuf::from("/nowhere/ca.pem");
        let url = address("https://host").unwrap();
        let ca = |path: &PathBuf| Trust {
            ca_file: Some(path.clone()),
            identity: None,
        };
        let own = |path: &PathBuf| Trust {
            ca_file: None,
            identity: Some((path.clone(), path.clone())),
        };
        #[rustfmt::skip]
        let cases = [
            (ca(&empty),  "CA file", "holds no certificate"),
            (own(&empty), "certificate file", "holds no certificate"),
            (ca(&gone),   "CA file /nowhere/ca.pem", ""),
            (own(&gone),  "certificate file /nowhere/ca.pem", ""),
        ];
        for (trust, what, fact) in cases {
            let words = client(&url, &trust).unwrap_err().to_string();
            assert!(words.starts_with(what) && words.contains(fact), "{words}");
        }
    }
}
