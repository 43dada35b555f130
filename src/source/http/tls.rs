//! Whom we believe.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::source::Error;

/// The TLS configuration of every client, and the bytes that identify what was added to the system's trust.
///
/// Trusted are the system's certificates, the file's, and where the system has none (an image from scratch without
/// a bundle) Mozilla's, which are built in. One provider of cryptography, ring, named and never looked up.
pub(super) fn configure(ca_file: Option<&Path>) -> Result<(ClientConfig, Vec<u8>), Error> {
    let mut roots = RootCertStore::empty();
    // Single files of the system that do not parse are the distribution's matter; the others still count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let identity = match ca_file {
        Some(path) => add_file(&mut roots, path)?,
        None => Vec::new(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Setup(format!("cannot set up TLS: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, identity))
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<Vec<u8>, Error> {
    let wrong = |why: String| {
        Error::Setup(format!(
            "cannot use the CA file {}: {why}; allowed is a file of PEM certificates",
            path.display()
        ))
    };
    let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
        roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(wrong("no certificate in it".into()));
    }
    Ok(pem)
}
