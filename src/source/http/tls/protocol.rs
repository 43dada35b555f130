//! What is wrong with a TLS connection beside the certificate, in words and with what to do about it.

use rustls::{AlertDescription, Error, PeerIncompatible};

const OLD: &str =
    "it supports only TLS versions older than 1.2; enable TLS 1.2 or 1.3 on the server";
const NOTHING_IN_COMMON: &str = "it has no cipher suite, group or signature scheme in common with this program; enable \
                                 those of TLS 1.3, or ECDHE with AES-GCM or ChaCha20 and a certificate with RSA or \
                                 ECDSA P-256";
const WANTS_ONE: &str = "it requires a client certificate and got none that it accepts; provide one (--cert and --key \
                         of a command), or let this node in without one";

/// In a handshake; `wanted` says that the peer asked for a certificate of ours.
pub(super) fn of_handshake(error: &Error, wanted: bool) -> String {
    if let Error::AlertReceived(alert) = error
        && wanted
        && may_mean_a_certificate(*alert)
    {
        return WANTS_ONE.to_owned();
    }
    words(error)
}

fn may_mean_a_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::HandshakeFailure
            | A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::CertificateRequired
            | A::AccessDenied
    )
}

/// Whether an error behind the handshake is about a certificate, which is the same the next time.
///
/// In TLS 1.3 a server looks at the client's certificate when the client is through with the handshake (RFC 8446
/// §4.4.2.4), and in TLS 1.2 one may ask for it later, which is not done here, and then ends with `handshake_failure`.
pub(in super::super) fn is_refusal(error: &Error) -> bool {
    if let Error::AlertReceived(alert) = error {
        return may_mean_a_certificate(*alert);
    }
    matches!(error, Error::InvalidCertificate(_))
}

/// Behind the handshake, where protocol and cipher suite are agreed upon.
pub(in super::super) fn words_behind(error: &Error) -> String {
    use AlertDescription as A;
    if let Error::AlertReceived(alert) = *error {
        return if alert == A::HandshakeFailure {
            WANTS_ONE.to_owned()
        } else if may_mean_a_certificate(alert) || alert == A::InternalError {
            received(alert)
        } else {
            let number = u8::from(alert);
            format!("it closed the connection with TLS alert {number}; see its log")
        };
    }
    if matches!(error, Error::InvalidMessage(_)) {
        return "what it sends is no longer TLS; something in between modifies it, or the server is faulty".to_owned();
    }
    words(error)
}

/// In a handshake, whatever was asked for in it.
pub(super) fn words(error: &Error) -> String {
    let text = match error {
        Error::InvalidCertificate(_) => {
            "its certificate is not valid; inspect it with openssl s_client"
        }
        Error::InvalidMessage(_) => {
            "what it sends is not TLS; check that this port serves https, or use http:// in the URL"
        }
        Error::PeerIncompatible(why) => return incompatible(why).to_owned(),
        Error::AlertReceived(alert) => return received(*alert),
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidEncryptedClientHello(_)
        | Error::PeerSentOversizedRecord => {
            "it violates the TLS protocol; something in between (an intercepting proxy, a load balancer) may be the \
             cause"
        }
        Error::DecryptError => {
            "what it sends cannot be decrypted; something in between modifies it, or the server is faulty"
        }
        Error::NoCertificatesPresented => "it sends no certificate; configure one on the server",
        Error::NoApplicationProtocol => {
            "it does not support HTTP/1.1 over TLS; enable it on the server"
        }
        Error::UnsupportedNameType => {
            "no certificate can be issued for that name; use another name of the server"
        }
        Error::InvalidCertRevocationList(_) => {
            "the revocation status of its certificate is unknown"
        }
        Error::FailedToGetCurrentTime => "this node has no clock; set it",
        Error::FailedToGetRandomBytes => "this node provides no random bytes (getrandom)",
        Error::EncryptError
        | Error::HandshakeNotComplete
        | Error::BadMaxFragmentSize
        | Error::InconsistentKeys(_)
        | Error::General(_)
        | Error::Other(_) => "an internal error; please report it",
        _ => "an unknown error; please report it",
    };
    text.to_owned()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most of what a library can find missing is one thing to whoever configures a server"
)]
fn incompatible(why: &PeerIncompatible) -> &'static str {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => OLD,
        _ => NOTHING_IN_COMMON,
    }
}

/// The peer's reason, as far as it says one (RFC 8446 §6.2).
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's list has no end; what is not known is said by its number"
)]
fn received(alert: AlertDescription) -> String {
    let text = match alert {
        AlertDescription::ProtocolVersion => OLD,
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            NOTHING_IN_COMMON
        }
        AlertDescription::UnrecognisedName => {
            "the server does not know that name; check the URL's host, or configure it on the server"
        }
        AlertDescription::NoApplicationProtocol => {
            "it does not support HTTP/1.1 over TLS; enable it on the server"
        }
        AlertDescription::InternalError => "the server reports an internal error; see its log",
        AlertDescription::AccessDenied => "it denies access to this node; see its log",
        other if may_mean_a_certificate(other) => WANTS_ONE,
        other => {
            return format!(
                "it aborted the handshake with TLS alert {}; see its log",
                u8::from(other)
            );
        }
    };
    text.to_owned()
}
