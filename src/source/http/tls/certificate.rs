//! What is wrong with a peer's certificate, in words and with what to do about it.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

use crate::artifact::shown;

/// How many names are listed.
const MOST_NAMES: usize = 5;

/// The smallest RSA key that a signature is believed of, in bits (NIST SP 800-131A).
const LEAST_RSA: usize = 2048;

/// `chain` is what the peer sent, its own certificate first; `host` is who it should be; `ca_file` was given.
pub(super) fn words(
    error: &CertificateError,
    chain: &[CertificateDer<'_>],
    host: &str,
    ca_file: Option<&Path>,
) -> String {
    let chain = Chain::read(chain);
    #[expect(
        deprecated,
        reason = "an error that the library makes no more is named as long as it can"
    )]
    match error {
        CertificateError::Expired => {
            "its certificate has expired by this node's clock; renew it, or correct the clock"
                .to_owned()
        }
        CertificateError::ExpiredContext { time, not_after } => format!(
            "{} expired on {}, and this node's clock says {}; renew it, or correct the clock",
            chain.whose(|c| c.validity().not_after.timestamp(), *not_after),
            date(*not_after),
            date(*time)
        ),
        CertificateError::NotValidYet => {
            "its certificate is not valid yet by this node's clock; correct the clock, or wait"
                .to_owned()
        }
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "{} is not valid before {}, and this node's clock says {}; correct the clock, or wait",
            chain.whose(|c| c.validity().not_before.timestamp(), *not_before),
            date(*not_before),
            date(*time)
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            chain.names(host)
        }
        CertificateError::UnknownIssuer => chain.issuer(ca_file),
        CertificateError::BadSignature => chain.signature(ca_file),
        CertificateError::UnsupportedSignatureAlgorithm
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            chain.algorithm()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for servers (extended key usage); issue one that is".to_owned()
        }
        CertificateError::Revoked => "its certificate was revoked; issue a new one".to_owned(),
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. }
        | CertificateError::InvalidOcspResponse => {
            "the revocation status of its certificate is unknown; ask its issuer".to_owned()
        }
        CertificateError::UnhandledCriticalExtension => {
            "its certificate has an unknown critical extension; issue one without it".to_owned()
        }
        CertificateError::BadEncoding => {
            "its certificate cannot be parsed (X.509 version 3 in DER is needed); issue a new one"
                .to_owned()
        }
        CertificateError::ApplicationVerificationFailure => {
            "its certificate was rejected; inspect it with openssl s_client".to_owned()
        }
        CertificateError::Other(other) => chain.other(other.0.downcast_ref(), ca_file),
        _ => "its certificate is not valid; inspect it with openssl s_client".to_owned(),
    }
}

/// What a peer sent, as far as it can be read.
struct Chain<'a>(Vec<X509Certificate<'a>>);

impl<'a> Chain<'a> {
    fn read(chain: &'a [CertificateDer<'_>]) -> Self {
        let read = chain
            .iter()
            .map_while(|der| X509Certificate::from_der(der).ok());
        Self(read.map(|(_, certificate)| certificate).collect())
    }

    /// Whose certificate has this date, in the peer's words for it.
    fn whose(&self, date: impl Fn(&X509Certificate<'_>) -> i64, is: UnixTime) -> String {
        let is = i64::try_from(is.as_secs()).unwrap_or(i64::MAX);
        match self.0.iter().position(|c| date(c) == is) {
            Some(0) | None => "its certificate".to_owned(),
            Some(at) => {
                let subject = self.0.get(at).map(|c| name(c.subject()));
                format!(
                    "the certificate of its issuer {}",
                    subject.unwrap_or_default()
                )
            }
        }
    }

    fn names(&self, host: &str) -> String {
        let names = self.0.first().map(alternative_names).unwrap_or_default();
        if names.is_empty() {
            return format!(
                "its certificate names no host (it has no subjectAltName, and a common name alone does not count); \
                 issue one for {host}"
            );
        }
        let mut list = names[..names.len().min(MOST_NAMES)].join(", ");
        if names.len() > MOST_NAMES {
            list.push_str(&format!(" and {} more", names.len() - MOST_NAMES));
        }
        format!(
            "its certificate is for {list}, not for {host}; use a name that it is for, or issue one for {host}"
        )
    }

    /// The last certificate on the way from the peer's own upwards, as far as issuers were sent.
    fn top(&self) -> Option<&X509Certificate<'a>> {
        let mut top = self.0.first()?;
        for _ in &self.0 {
            let above = self.0.iter().find(|c| c.subject() == top.issuer());
            match above.filter(|above| above.public_key() != top.public_key()) {
                Some(above) => top = above,
                None => break,
            }
        }
        Some(top)
    }

    fn issuer(&self, ca_file: Option<&Path>) -> String {
        let Some((own, top)) = self.0.first().zip(self.top()) else {
            return format!(
                "the issuer of its certificate is not trusted; {}",
                add(ca_file, "that CA")
            );
        };
        let is_root = top.subject() == top.issuer();
        if is_root && top.subject() == own.subject() {
            return format!(
                "its certificate is self-signed and not trusted; {}",
                add(ca_file, "that certificate")
            );
        }
        let issuer = name(top.issuer());
        if is_root {
            return format!(
                "its certificate is from the CA {issuer}, which is not trusted; {}",
                add(ca_file, "that CA")
            );
        }
        // Where the issuer's certificate can be had is written by public CAs, whose servers have to send it.
        let incomplete = format!(
            "the server does not send the certificate of {issuer}, which issued {}; configure it to send the whole \
             chain",
            match own.issuer() == top.issuer() {
                true => "its own".to_owned(),
                false => name(top.subject()),
            }
        );
        match (names_issuers_place(top), ca_file) {
            (true, None) => incomplete,
            (_, None) => format!(
                "its certificate is from {issuer}, which is not trusted and whose certificate it does not send; if \
                 that is your CA, add it with --ca-file, otherwise configure the server to send the whole chain"
            ),
            (_, Some(file)) => format!(
                "its certificate is from {issuer}, which is missing from the CA file {}; add it there, or configure \
                 the server to send the whole chain up to a CA that is there",
                file.display()
            ),
        }
    }

    fn signature(&self, ca_file: Option<&Path>) -> String {
        if let Some(bits) = self.0.iter().find_map(small_rsa_key) {
            return format!(
                "a certificate that it sends has an RSA key of {bits} bits; issue one with {LEAST_RSA} or more"
            );
        }
        let issuer = self.top().map(|c| name(c.issuer())).unwrap_or_default();
        match ca_file {
            Some(file) => format!(
                "its certificate is not signed with the key of the trusted CA {issuer}, or that key is RSA with fewer \
                 than {LEAST_RSA} bits; if that CA has a new key, put its new certificate into the CA file {}",
                file.display()
            ),
            None => format!(
                "its certificate is not signed with the key of the trusted CA {issuer}; another CA has the same name: \
                 if it is yours, add it with --ca-file"
            ),
        }
    }

    fn algorithm(&self) -> String {
        let of = |c: &X509Certificate<'_>| c.signature_algorithm.algorithm.to_id_string();
        // A root is trusted for what it is, and its own signature is looked at by nobody.
        let looked_at = self.0.iter().filter(|c| c.subject() != c.issuer());
        let weak = looked_at.clone().map(of).find_map(|oid| weak(&oid));
        match (weak, looked_at.clone().next().or(self.0.first())) {
            (Some(algorithm), _) => format!(
                "a certificate that it sends is signed with {algorithm}, which is insecure; reissue it with SHA-256"
            ),
            (None, certificate) => format!(
                "a certificate that it sends is signed with an unsupported algorithm ({}); reissue it with RSA of \
                 {LEAST_RSA} bits, ECDSA P-256 or P-384, or Ed25519, and SHA-256",
                certificate.map(of).unwrap_or_default()
            ),
        }
    }

    /// What of the library's many other errors has a remedy of its own.
    fn other(&self, error: Option<&webpki::Error>, ca_file: Option<&Path>) -> String {
        use webpki::Error as E;
        match error {
            Some(E::CaUsedAsEndEntity) => match self.0.first() {
                Some(own) if own.subject() == own.issuer() => format!(
                    "its certificate is self-signed and not trusted; {}",
                    add(ca_file, "that certificate")
                ),
                Some(_) | None => "its certificate is a CA certificate; issue one for the server, or trust just this \
                                   one by adding it with --ca-file"
                    .to_owned(),
            },
            Some(E::EndEntityUsedAsCa | E::PathLenConstraintViolated) => {
                "a certificate in its chain was issued by one that may not issue any; reissue the chain".to_owned()
            }
            Some(E::NameConstraintViolation) => {
                "its certificate is for a name that its CA may not issue for (name constraints); use another CA".to_owned()
            }
            Some(E::UnsupportedCertVersion) => {
                "a certificate that it sends is X.509 version 1; reissue it as version 3".to_owned()
            }
            Some(E::MaximumPathDepthExceeded | E::MaximumPathBuildCallsExceeded | E::MaximumSignatureChecksExceeded) => {
                "its certificate chain is too long; configure the server to send only what is needed".to_owned()
            }
            _ => "its certificate is malformed; inspect it with openssl s_client and x509 -text".to_owned(),
        }
    }
}

fn add(ca_file: Option<&Path>, what: &str) -> String {
    match ca_file {
        None => format!("if it is yours, add {what} with --ca-file"),
        Some(file) => format!(
            "the CA file {} does not contain {what}: if it is yours, add it there",
            file.display()
        ),
    }
}

/// A common name, or what there is.
fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|n| n.as_str().ok());
    let text = common.map_or_else(|| name.to_string(), str::to_owned);
    shown(&text).replace("\\'", "'")
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|n| &n.value.general_names);
    let texts = names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(plain(name)),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => {
                let v6 = <[u8; 16]>::try_from(*bytes).ok()?;
                Some(std::net::Ipv6Addr::from(v6).to_string())
            }
        },
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    });
    texts.collect()
}

/// A name as it is, unless it is none.
fn plain(name: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_*".contains(c);
    match name.len() <= 253 && name.chars().all(is_name) {
        true => name.to_owned(),
        false => shown(name),
    }
}

/// Authority information access with a place of the issuer's certificate (RFC 5280 §4.2.2.1).
fn names_issuers_place(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            return false;
        };
        let mut ways = access.accessdescs.iter();
        ways.any(|way| way.access_method.to_id_string() == "1.3.6.1.5.5.7.48.2")
    })
}

fn small_rsa_key(certificate: &X509Certificate<'_>) -> Option<usize> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < LEAST_RSA => Some(key.key_size()),
        Ok(_) | Err(_) => None,
    }
}

fn weak(oid: &str) -> Option<&'static str> {
    match oid {
        "1.2.840.113549.1.1.4" => Some("MD5"),
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.3.14.3.2.29" => Some("SHA-1"),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => Some("SHA-224"),
        "1.2.840.10040.4.3" | "2.16.840.1.101.3.4.3.2" => Some("DSA"),
        _ => None,
    }
}

fn date(time: UnixTime) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(time.as_secs());
    humantime::format_rfc3339_seconds(time).to_string()
}
