//! The trust of an MQTT connection: the system's certificates and one of the park.

use std::path::Path;
use std::sync::Arc;

use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// TLS towards the broker, or what stands in its way, for people.
///
/// The system's certificates always count. A broker with a certificate of the
/// park's own names the authority in `ca_file`. Reads files, so it blocks.
pub fn transport(ca_file: Option<&Path>) -> Result<Transport, String> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = ca_file {
        let own = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("certificate {}: {error}", path.display()))?;
        if own.is_empty() {
            return Err(format!("{} holds no certificate", path.display()));
        }
        for certificate in own {
            roots
                .add(certificate)
                .map_err(|error| format!("certificate {}: {error}", path.display()))?;
        }
    }
    if roots.is_empty() {
        return Err("neither the system nor `ca_file` has a certificate to trust".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = TlsConfiguration::Rustls(Arc::new(config));
    Ok(Transport::tls_with_config(config))
}
