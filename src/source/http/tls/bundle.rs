//! A file of certificates (RFC 7468), as OpenSSL reads one: text between the certificates is passed over, line ends are
//! of any kind, and the older names of a certificate count.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::{FromDer, Sequence};

/// What a certificate may be called. The last has OpenSSL's own remarks behind the certificate.
const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One certificate, and where it is.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    number: usize,
    line: usize,
}

impl Certificate {
    /// What is wrong with this one.
    pub(super) fn broken(&self, why: &str) -> String {
        broken(self.number, self.line, why)
    }
}

fn broken(number: usize, line: usize, why: &str) -> String {
    format!("certificate {number} (line {line}): {why}")
}

/// The certificates of a file: at least one, or what is wrong with it.
pub(super) fn certificates(file: &[u8]) -> Result<Vec<Certificate>, String> {
    if file.starts_with(&[0x30, 0x82]) {
        return Err(
            "it is DER; convert it to PEM (openssl x509 -inform der -in FILE -out FILE.pem)"
                .to_owned(),
        );
    }
    let text = String::from_utf8_lossy(file);
    let (mut found, mut keys) = (Vec::new(), false);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.split('\n').map(str::trim).zip(1..);
    while let Some((line, at)) = lines.next() {
        let Some(label) = between(line, "-----BEGIN ") else {
            continue;
        };
        keys |= label.ends_with("PRIVATE KEY");
        if !LABELS.contains(&label) {
            continue;
        }
        let number = found.len() + 1;
        let mut body = String::new();
        loop {
            match lines.next() {
                Some((line, _)) if between(line, "-----END ") == Some(label) => break,
                Some((line, _)) if line.starts_with("-----") => {
                    return Err(broken(number, at, "another block begins before it ends"));
                }
                Some((line, _)) => body.extend(line.chars().filter(|c| !c.is_whitespace())),
                None => return Err(broken(number, at, "the file ends before it does")),
            }
        }
        let mut der = BASE64
            .decode(body)
            .map_err(|_| broken(number, at, "it is not base64"))?;
        // A certificate is a sequence; what comes behind the first value is not its own.
        let length = match Sequence::from_der(&der) {
            Ok((rest, _)) if rest.is_empty() || label == "TRUSTED CERTIFICATE" => {
                der.len() - rest.len()
            }
            Ok(_) | Err(_) => return Err(broken(number, at, "it is not an X.509 certificate")),
        };
        der.truncate(length);
        found.push(Certificate {
            der: der.into(),
            number,
            line: at,
        });
    }
    match (found.is_empty(), keys) {
        (false, _) => Ok(found),
        (true, true) => Err("it contains a private key but no certificate".to_owned()),
        (true, false) => Err("it contains no certificate".to_owned()),
    }
}

fn between<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::default();
        params.self_signed(&key).unwrap().pem()
    }

    fn count(text: &str) -> Result<usize, String> {
        certificates(text.as_bytes()).map(|c| c.len())
    }

    #[test]
    fn whatever_openssl_reads_is_read() {
        let (a, b) = (pem(), pem());
        let both = format!("{a}{b}");
        let trusted = {
            let body: String = a.lines().filter(|l| !l.starts_with('-')).collect();
            let mut der = BASE64.decode(body).unwrap();
            der.extend([0x30, 0x03, 0x0c, 0x01, 0x61]);
            let text = BASE64.encode(der);
            format!(
                "-----BEGIN TRUSTED CERTIFICATE-----\n{text}\n-----END TRUSTED CERTIFICATE-----\n"
            )
        };
        for (text, expected) in [
            (both.clone(), 2),
            (both.replace('\n', "\r\n"), 2),
            (both.replace('\n', "\r"), 2),
            (both.trim_end().to_owned(), 2),
            (format!("# a comment\nsubject=CN = x\n\n{a}\ntext\n{b}"), 2),
            (
                a.replace("BEGIN CERT", "BEGIN X509 CERT")
                    .replace("END CERT", "END X509 CERT"),
                1,
            ),
            (format!("{trusted}{b}"), 2),
            (a.replace("-----\n", "-----  \n"), 1),
            (
                format!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{a}"),
                1,
            ),
            (format!("\u{feff}{both}"), 2),
        ] {
            assert_eq!(count(&text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_broken_is_said_by_number_and_line() {
        let (a, b) = (pem(), pem());
        let lines = a.lines().count();
        let second = lines + 2;
        let at = format!("certificate 2 (line {second}): ");
        let half: String = b.lines().take(3).map(|l| format!("{l}\n")).collect();
        for (bad, why) in [
            (b.replacen("MII", "M!I", 1), "it is not base64"),
            (half.clone(), "the file ends before it does"),
            (format!("{half}{a}"), "another block begins before it ends"),
            (
                b.replacen("MII", "AII", 1),
                "it is not an X.509 certificate",
            ),
        ] {
            let text = format!("{a}# remark\n{bad}");
            assert_eq!(count(&text), Err(format!("{at}{why}")));
        }
        for (text, why) in [
            ("", "it contains no certificate"),
            (
                "-----BEGIN PRIVATE KEY-----\n",
                "a private key but no certificate",
            ),
            ("0\u{2}", "it contains no certificate"),
        ] {
            assert!(count(text).unwrap_err().contains(why), "{text}");
        }
        assert!(certificates(&[0x30, 0x82, 1]).unwrap_err().contains("DER"));
    }
}
