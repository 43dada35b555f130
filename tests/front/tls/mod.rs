//! TLS: who is believed, and what is said of whom is not.

mod said;
mod trusted;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

use crate::sandbox::{Ran, Sandbox};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbytes";

/// A certificate and its key.
struct Made {
    certificate: rcgen::Certificate,
    params: CertificateParams,
    key: KeyPair,
}

impl Made {
    fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }
}

/// A certificate: with its subject, its names and whatever else; by nobody it is signed by itself.
fn made(
    subject: &str,
    names: &[&str],
    by: Option<&Made>,
    change: impl FnOnce(&mut CertificateParams),
) -> Made {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = match by {
        None => params.self_signed(&key),
        Some(by) => params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)),
    };
    Made {
        certificate: certificate.unwrap(),
        params,
        key,
    }
}

/// A certificate that may issue others.
fn authority(subject: &str, by: Option<&Made>) -> Made {
    made(subject, &[], by, is_ca)
}

fn is_ca(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

/// Where the issuer's certificate can be had (RFC 5280 §4.2.2.1), as public authorities write it.
fn names_issuers_place(params: &mut CertificateParams) {
    let mut value = vec![
        0x30, 0x1f, 0x30, 0x1d, 6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2, 0x86, 0x11,
    ];
    value.extend(b"http://pki.test/a");
    let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], value);
    params.custom_extensions.push(extension);
}

/// A server for whoever connects: the port.
fn server(leaf: &Made, above: &[&Made]) -> u16 {
    server_with(leaf, above, None, rustls::ALL_VERSIONS)
}

/// One that wants a certificate from that authority, if any, and speaks these versions.
fn server_with(
    leaf: &Made,
    above: &[&Made],
    wants: Option<&Made>,
    versions: &[&'static SupportedProtocolVersion],
) -> u16 {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match wants {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let mut chain = vec![leaf.der()];
    chain.extend(above.iter().map(|c| c.der()));
    let key = PrivatePkcs8KeyDer::from(leaf.key.serialize_der()).into();
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    listen(move |client| {
        let mut stream =
            StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), client);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                // Whoever does not trust us goes away.
                Ok(_) | Err(_) => return,
            }
        }
        let _ = stream.write_all(ANSWER);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    })
}

/// A server that takes whatever comes first and says this.
fn says(bytes: &'static [u8]) -> u16 {
    listen(move |mut client| {
        let _ = client.read(&mut [0; 4096]);
        let _ = client.write_all(bytes);
        let _ = client.shutdown(std::net::Shutdown::Write);
        let _ = client.read_to_end(&mut Vec::new());
    })
}

/// A server that keeps silent.
fn silent() -> u16 {
    listen(|mut client| {
        let _ = client.read_to_end(&mut Vec::new());
    })
}

fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (serve, client) = (Arc::clone(&serve), client.unwrap());
            thread::spawn(move || serve(client));
        }
    });
    port
}

/// The program's fetch, with this CA file.
fn fetch(sandbox: &Sandbox, host: &str, port: u16, ca: Option<&str>) -> Ran {
    let mut command = sandbox.war_vol();
    let url = format!("https://{host}:{port}/a.war");
    command.args(["fetch", &url, "-o", "out", "--tries", "1"]);
    if let Some(pem) = ca {
        std::fs::write(sandbox.path("ca.pem"), pem).unwrap();
        command.args(["--ca-file", "ca.pem"]);
    }
    Ran::of(command.output().unwrap())
}
