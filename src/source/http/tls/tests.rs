use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};

use super::*;

/// Certificates that the tests' own maker cannot make: the server's first, then its authority's.
fn fixture(name: &str) -> Vec<CertificateDer<'static>> {
    let path = format!(
        "{}/tests/front/tls/fixtures/{name}.pem",
        env!("CARGO_MANIFEST_DIR")
    );
    let found = bundle::certificates(&fs::read(path).unwrap()).unwrap();
    found.into_iter().map(|c| c.der).collect()
}

/// What is said of a server's certificate where its authority is trusted; nothing if it is taken.
fn said(name: &str) -> Option<String> {
    let chain = fixture(name);
    let mut roots = RootCertStore::empty();
    roots.add(chain[1].clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let judged = Verifier::new(webpki, Vec::new()).verify_server_cert(
        &chain[0],
        &[],
        &ServerName::try_from("fixture.test").unwrap(),
        &[],
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_900_000_000)),
    );
    match judged {
        Ok(_) => None,
        Err(rustls::Error::InvalidCertificate(why)) => {
            let file = Path::new("ca.pem");
            Some(certificate::words(
                &why,
                &chain[..1],
                "fixture.test",
                Some(file),
            ))
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_root_of_version_1_is_taken() {
    assert_eq!(said("v1"), None);
}

#[test]
fn a_signature_that_is_not_believed_is_told() {
    let text = said("sha1").unwrap();
    assert!(
        text.contains("signed with SHA-1, which is insecure"),
        "{text}"
    );
    let text = said("small").unwrap();
    assert!(text.contains("RSA with fewer than 2048 bits"), "{text}");
}

#[test]
fn the_variables_of_openssl_are_heeded_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::default()
        .self_signed(&key)
        .unwrap();
    fs::write(&path, made.pem()).unwrap();
    let load = |file: &str, dirs: &str| {
        let mut identity = Vec::new();
        let (file, dirs) = (OsString::from(file), OsString::from(dirs));
        let get = |name: &str| {
            Some(if name == FILE {
                file.clone()
            } else {
                dirs.clone()
            })
        };
        system(get, &mut identity).map(|found| (found.len(), identity))
    };
    let (path, dir) = (path.to_str().unwrap(), dir.path().to_str().unwrap());
    assert_eq!(load(path, "").unwrap().0, 1);
    assert_eq!(load("", dir).unwrap().0, 1);
    assert_eq!(load("", &format!("/nowhere:{dir}")).unwrap().0, 1);
    // The same trust, wherever it lies; and another one at the same place is another.
    let before = load(path, "").unwrap().1;
    assert_eq!(before, load("", dir).unwrap().1);
    let key = rcgen::KeyPair::generate().unwrap();
    let other = rcgen::CertificateParams::default()
        .self_signed(&key)
        .unwrap();
    fs::write(path, other.pem()).unwrap();
    assert_ne!(before, load(path, "").unwrap().1);
    assert!(load("", "").unwrap().1.is_empty());
    for (file, dirs) in [("/nowhere", ""), ("", "/nowhere")] {
        let text = load(file, dirs).unwrap_err().to_string();
        assert!(text.contains("SSL_CERT_FILE or SSL_CERT_DIR"), "{text}");
    }
}

/// Whatever the library can say has words of its own, and none of the library's.
#[test]
fn no_error_is_said_in_the_librarys_words() {
    use rustls::{AlertDescription, InvalidMessage, PeerIncompatible, PeerMisbehaved};
    let other = rustls::OtherError(Arc::new(std::fmt::Error));
    for error in [
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
        rustls::Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
        rustls::Error::PeerMisbehaved(PeerMisbehaved::IllegalMiddleboxChangeCipherSpec),
        rustls::Error::AlertReceived(AlertDescription::DecodeError),
        rustls::Error::DecryptError,
        rustls::Error::NoCertificatesPresented,
        rustls::Error::General("internal".to_owned()),
        rustls::Error::Other(other.clone()),
    ] {
        for text in [protocol::words(&error), words_behind(&error)] {
            assert!(!text.contains(&error.to_string()), "{text}");
            assert!(!text.contains("{error:?}") && text.contains("; "), "{text}");
        }
    }
    for error in [
        rustls::CertificateError::Expired,
        rustls::CertificateError::NotValidYet,
        rustls::CertificateError::NotValidForName,
        rustls::CertificateError::UnknownIssuer,
        rustls::CertificateError::BadSignature,
        rustls::CertificateError::Revoked,
        rustls::CertificateError::UnknownRevocationStatus,
        rustls::CertificateError::InvalidPurpose,
        rustls::CertificateError::UnhandledCriticalExtension,
        rustls::CertificateError::BadEncoding,
        rustls::CertificateError::ApplicationVerificationFailure,
        rustls::CertificateError::Other(other),
    ] {
        let text = certificate::words(&error, &[], "a.test", None);
        assert!(
            text.contains("; ") && !text.contains(&format!("{error:?}")),
            "{text}"
        );
    }
}
