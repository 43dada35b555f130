//! Who we are to a server that asks for a certificate (mutual TLS).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error as TlsError, InconsistentKeys};

use crate::source::http::Error;

/// A certificate and its private key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// The file of the certificate, with the chain behind it if there is one.
    pub cert: PathBuf,
    /// The file of the key; without it the certificate's file has both.
    pub key: Option<PathBuf>,
}

/// The TLS configuration that shows the certificate to a server that asks for one, and the bytes that identify it.
pub(super) fn present(
    config: &ClientConfig,
    files: &ClientCert,
) -> Result<(ClientConfig, Vec<u8>), Error> {
    let (cert, key) = (&*files.cert, files.key.as_deref().unwrap_or(&files.cert));
    let (chain, mut identity) = chain(cert)?;
    let pem = read("key", key)?;
    let private = private_key(key, &pem)?;
    identity.extend(&pem);
    let provider = config.crypto_provider().key_provider;
    let signs = provider.load_private_key(private).map_err(|_| {
        wrong(
            "key",
            key,
            "its type is not supported (RSA, ECDSA P-256 or P-384, and Ed25519 are)",
        )
    })?;
    let certified = CertifiedKey::new(chain, signs);
    if let Err(error) = certified.keys_match() {
        let other = TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch);
        return Err(if error == other {
            Error::Setup(format!(
                "the client certificate {} and the key {} do not match; use the key that the certificate was issued \
                 for",
                cert.display(),
                key.display()
            ))
        } else {
            wrong("certificate", cert, "it is damaged")
        });
    }
    let mut config = config.clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    Ok((config, identity))
}

fn chain(path: &Path) -> Result<(Vec<CertificateDer<'static>>, Vec<u8>), Error> {
    let pem = read("certificate", path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(wrong("certificate", path, "it contains no certificate"))
        }
        Ok(chain) => Ok((chain, pem)),
        Err(_) => Err(wrong("certificate", path, "it is damaged")),
    }
}

fn private_key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(text).map_err(|e| {
        let why = if is_encrypted(text) {
            "it is protected by a passphrase, which cannot be entered here; store it without one (openssl pkey)"
        } else if matches!(e, pem::Error::NoItemsFound) {
            "it contains no private key"
        } else {
            "it is damaged"
        };
        wrong("key", path, why)
    })
}

/// PKCS #8 (RFC 5958 §3) says so in its label, the older form of OpenSSL in a header.
fn is_encrypted(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| wrong(what, path, &e.to_string()))
}

fn wrong(what: &str, path: &Path, why: &str) -> Error {
    Error::Setup(format!(
        "cannot use the client {what} {}: {why}; use a PEM file",
        path.display()
    ))
}
