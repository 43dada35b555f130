//! The judgement of a certificate, and what is remembered of it for whoever has to explain it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

tokio::task_local! {
    /// Of the handshake that this task is in. The judge of certificates is one for all connections, so that a session
    /// that it has judged can be resumed.
    static SEEN: Seen;
}

/// What was seen of the peer in one handshake.
#[derive(Clone, Default)]
pub(in super::super) struct Seen(Arc<Notes>);

#[derive(Default)]
struct Notes {
    chain: OnceLock<Vec<CertificateDer<'static>>>,
    wanted: AtomicBool,
}

impl Seen {
    /// Remembers what is seen during a handshake.
    pub(in super::super) async fn during<F: Future>(&self, handshake: F) -> F::Output {
        SEEN.scope(self.clone(), handshake).await
    }

    /// The certificates that the peer sent, its own first.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        self.0.chain.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the peer asked for a certificate of ours.
    pub(super) fn wanted_a_certificate(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed)
    }
}

/// The library's judgement, and beside it OpenSSL's word on a certificate that is itself in the CA file: it is trusted
/// whoever has signed it and whatever it is for, as long as it names the host and has not expired. The library takes
/// no certificate of an authority for a server's, and that is what `openssl req -x509` makes.
#[derive(Debug)]
pub(super) struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl Verifier {
    pub(super) fn new(
        webpki: Arc<WebPkiServerVerifier>,
        own: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { webpki, own }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let _ = SEEN.try_with(|seen| {
            let all = std::iter::once(end_entity).chain(intermediates);
            let _ = seen
                .0
                .chain
                .set(all.map(|c| c.clone().into_owned()).collect());
        });
        if self.own.iter().any(|own| own == end_entity) {
            return itself(end_entity, server_name, now);
        }
        self.webpki
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Of a certificate that is trusted by itself its dates, its purpose and its names are left to be judged. That the peer
/// has its key is seen from the handshake's signature.
fn itself(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let bad = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, read) = X509Certificate::from_der(certificate).map_err(bad)?;
    let seconds = |time: x509_parser::time::ASN1Time| {
        let since = u64::try_from(time.timestamp()).unwrap_or_default();
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(since))
    };
    let not_before = seconds(read.validity().not_before);
    let not_after = seconds(read.validity().not_after);
    let time = now;
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    let purposes = read.extended_key_usage().ok().flatten();
    if purposes.is_some_and(|p| !p.value.any && !p.value.server_auth) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    Ok(ServerCertVerified::assertion())
}

/// We have no certificate of our own; that one was wanted explains what the peer does next.
#[derive(Debug)]
pub(super) struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let _ = SEEN.try_with(|seen| seen.0.wanted.store(true, Ordering::Relaxed));
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
