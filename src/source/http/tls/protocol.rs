//! What is wrong with a TLS connection beside the certificate, in words and with what to do about it.

use rustls::{AlertDescription, Error, PeerIncompatible};

const OLD: &str =
    "it speaks only versions of TLS older than 1.2; enable TLS 1.2 or 1.3 at the origin";
const NOTHING_IN_COMMON: &str = "it has no cipher suite, group or signature in common with this program; enable those of \
                                 TLS 1.3, or ECDHE with AES-GCM or ChaCha20 and a certificate with RSA or ECDSA P-256";
const WANTS_ONE: &str = "it wants a client certificate and was shown none that it takes; give one (--cert and --key of a \
                         command), or let this node in without one";

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
            format!("it ended the connection with TLS alert {number}; see its log")
        };
    }
    if matches!(error, Error::InvalidMessage(_)) {
        return "what it sends is TLS no more; something on the way changes it, or its server is at fault".to_owned();
    }
    words(error)
}

/// In a handshake, whatever was asked for in it.
pub(super) fn words(error: &Error) -> String {
    let text = match error {
        Error::InvalidCertificate(_) => {
            "its certificate is not valid; look at it with openssl s_client"
        }
        Error::InvalidMessage(_) => {
            "what it sends is not TLS; check that this port speaks https, or begin the URL with http://"
        }
        Error::PeerIncompatible(why) => return incompatible(why).to_owned(),
        Error::AlertReceived(alert) => return received(*alert),
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidEncryptedClientHello(_)
        | Error::PeerSentOversizedRecord => {
            "it does not keep to the rules of TLS; something on the way (a proxy that looks into TLS, a load balancer) \
             may be at fault"
        }
        Error::DecryptError => {
            "what it sends cannot be decrypted; something on the way changes it, or its server is at fault"
        }
        Error::NoCertificatesPresented => "it sends no certificate; configure one at the origin",
        Error::NoApplicationProtocol => {
            "it does not speak HTTP/1.1 over TLS; enable it at the origin"
        }
        Error::UnsupportedNameType => {
            "no certificate can be for that name; use another name of the origin"
        }
        Error::InvalidCertRevocationList(_) => "whether its certificate was revoked cannot be told",
        Error::FailedToGetCurrentTime => "this node has no clock; set it",
        Error::FailedToGetRandomBytes => "this node gives no random bytes (getrandom)",
        Error::EncryptError
        | Error::HandshakeNotComplete
        | Error::BadMaxFragmentSize
        | Error::InconsistentKeys(_)
        | Error::General(_)
        | Error::Other(_) => "an error inside this program; please report it",
        _ => "an error that is not known here; please report it",
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
        AlertDescription::CertificateRequired => WANTS_ONE,
        AlertDescription::UnrecognisedName => {
            "its server does not know that name; check the URL's host, or configure it at the origin"
        }
        AlertDescription::NoApplicationProtocol => {
            "it does not speak HTTP/1.1 over TLS; enable it at the origin"
        }
        AlertDescription::InternalError => "its server has an error of its own; see its log",
        AlertDescription::AccessDenied => "it does not let this node in; see its log",
        AlertDescription::NoCertificate
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => WANTS_ONE,
        other => {
            return format!(
                "it ended the handshake with alert {}; see its log",
                u8::from(other)
            );
        }
    };
    text.to_owned()
}
