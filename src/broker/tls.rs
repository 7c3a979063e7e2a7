//! The trust of an MQTT connection: the system's certificates, one of the park, and
//! the certificate that says who we are.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::Tls;

/// TLS towards the broker, or what stands in its way, for people.
///
/// The system's certificates always count. A broker with a certificate of the
/// park's own names the authority in `ca_file`. Reads files, so it blocks.
pub fn config(tls: &Tls) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = &tls.ca_file {
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|error| format!("certificate {}: {error}", path.display()))?;
        }
    }
    if roots.is_empty() {
        return Err("neither the system nor `ca_file` has a certificate to trust".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusting = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match &tls.identity {
        None => trusting.with_no_client_auth(),
        Some((certificate, key)) => trusting
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| {
                format!(
                    "certificate {} and key {} do not go together: {error}",
                    certificate.display(),
                    key.display()
                )
            })?,
    };
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("certificate {}: {error}", path.display()))?;
    if found.is_empty() {
        return Err(format!("{} holds no certificate", path.display()));
    }
    Ok(found)
}

/// A key is a secret: one that everyone can read is none.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = path.display();
    let known = std::fs::metadata(path).map_err(|error| format!("key {shown}: {error}"))?;
    if known.permissions().mode() & 0o007 != 0 {
        return Err(format!(
            "key {shown} can be read by everyone; run chmod o-rwx {shown}"
        ));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| format!("key {shown}: {error}"))
}
