//! Whom we believe.
//!
//! Trusted are the system's certificates, the CA file's, and where the system has none (an image from scratch without
//! a bundle) Mozilla's, which are built in. One provider of cryptography, ring, named and never looked up.

mod bundle;
mod certificate;
mod protocol;
mod verify;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

pub(super) use self::protocol::{is_refusal, words_behind};
pub(super) use self::verify::Seen;
use self::verify::{NoCertificate, Verifier};
use crate::source::http::Error;

/// OpenSSL's variables, which replace the system's certificates.
const FILE: &str = "SSL_CERT_FILE";
const DIRS: &str = "SSL_CERT_DIR";

/// Who is believed to be who.
pub(super) struct Trust {
    /// For connections to origins.
    pub(super) to_origins: Arc<ClientConfig>,
    /// For connections to proxies: no protocol is named, as not every one of them has heard of that.
    pub(super) to_proxies: Arc<ClientConfig>,
    ca_file: Option<PathBuf>,
    /// What was added to the system's trust, or put in its place.
    pub(super) identity: Vec<u8>,
}

impl Trust {
    /// Loads the certificates. `get` reads the environment.
    pub(super) fn load(
        ca_file: Option<&Path>,
        get: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        let mut identity = Vec::new();
        // Single files of the system that do not parse are the distribution's matter; the others still count.
        roots.add_parsable_certificates(system(get, &mut identity)?);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let mut own = Vec::new();
        if let Some(path) = ca_file {
            let wrong = |why: String| {
                Error::Setup(format!(
                    "cannot use the CA file {}: {why}; use a file of PEM certificates",
                    path.display()
                ))
            };
            let text = fs::read(path).map_err(|e| wrong(e.to_string()))?;
            own = bundle::certificates(&text).map_err(wrong)?;
            for certificate in &own {
                let added = roots.add(certificate.der.clone());
                added.map_err(|_| wrong(certificate.broken("it is not an X.509 certificate")))?;
            }
            identity.extend(text);
        }
        let own = own.into_iter().map(|c| c.der).collect();
        Self::of(roots, own, ca_file, identity)
    }

    /// Nobody is.
    pub(super) fn none() -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().take(1).cloned());
        Self::of(roots, Vec::new(), None, Vec::new())
    }

    fn of(
        roots: RootCertStore,
        own: Vec<CertificateDer<'static>>,
        ca_file: Option<&Path>,
        identity: Vec<u8>,
    ) -> Result<Self, Error> {
        let wrong = |e: String| Error::Setup(format!("cannot set up TLS: {e}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let webpki =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|e| wrong(e.to_string()))?;
        let mut to_origins = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(webpki, own)))
            .with_client_cert_resolver(Arc::new(NoCertificate));
        let to_proxies = to_origins.clone();
        to_origins.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            to_origins: Arc::new(to_origins),
            to_proxies: Arc::new(to_proxies),
            ca_file: ca_file.map(Path::to_owned),
            identity,
        })
    }

    /// A failed handshake in words, with what to do. `seen` is what was seen of the peer, which `host` should be.
    pub(super) fn words(&self, error: &rustls::Error, seen: &Seen, host: &str) -> String {
        if let rustls::Error::InvalidCertificate(why) = error {
            return certificate::words(why, seen.chain(), host, self.ca_file.as_deref());
        }
        protocol::of_handshake(error, seen.wanted_a_certificate())
    }
}

/// The system's certificates, or those that the environment names instead. A library would read these variables too,
/// and pass over what is wrong with them.
fn system(
    get: impl Fn(&str) -> Option<OsString>,
    identity: &mut Vec<u8>,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let set = |name: &str| get(name).filter(|v| !v.is_empty());
    let (file, dirs, named) = match (set(FILE), set(DIRS)) {
        (None, None) => {
            let found = openssl_probe::probe();
            (found.cert_file, found.cert_dir, false)
        }
        (file, dirs) => {
            let dirs = dirs.unwrap_or_default();
            let dirs = std::env::split_paths(&dirs).filter(|d| !d.as_os_str().is_empty());
            (file.map(PathBuf::from), dirs.collect(), true)
        }
    };
    let mut dirs = dirs.iter();
    let loaded =
        rustls_native_certs::load_certs_from_paths(file.as_deref(), dirs.next().map(|d| &**d));
    let mut certificates = loaded.certs;
    for dir in dirs {
        certificates.extend(rustls_native_certs::load_certs_from_paths(None, Some(dir)).certs);
    }
    if named && certificates.is_empty() {
        return Err(Error::Setup(format!(
            "{FILE} or {DIRS} is set, and no certificate can be read there; correct it, or unset both to use the system's"
        )));
    }
    // By what they are, and not by their place: another bundle at the same path is another trust.
    for certificate in certificates.iter().filter(|_| named) {
        identity.extend((certificate.len() as u64).to_be_bytes());
        identity.extend(certificate.as_ref());
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests;
