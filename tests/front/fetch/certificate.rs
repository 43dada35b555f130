//! `--cert` and `--key`: a server that asks who we are (mutual TLS).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::speaks_no_yaml;
use crate::sandbox::Sandbox;

const BODY: &[u8] = b"only for those who are known";

/// An authority, and what it has signed.
struct Pki {
    params: CertificateParams,
    key: KeyPair,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { params, key }
    }

    fn root(&self) -> rcgen::Certificate {
        self.params.self_signed(&self.key).unwrap()
    }

    fn signed(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        (params.signed_by(&key, &issuer).unwrap(), key)
    }
}

/// A server that asks for a certificate, insists on it or not, and remembers whether one came.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<bool>>>,
}

impl Server {
    fn start(pki: &Pki, insists: bool, answer: String) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(pki.root().der().clone()).unwrap();
        let provider = Arc::new(default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier = match insists {
            true => verifier.build(),
            false => verifier.allow_unauthenticated().build(),
        };
        let (cert, key) = pki.signed("127.0.0.1");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.unwrap())
            .with_single_cert(
                vec![cert.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, client.unwrap());
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                if head.is_empty() {
                    continue; // The handshake failed.
                }
                log.lock()
                    .unwrap()
                    .push(stream.conn.peer_certificates().is_some());
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.write_all(BODY);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { address, seen }
    }

    fn url(&self) -> String {
        format!("https://{}/a.war", self.address)
    }

    fn seen(&self) -> Vec<bool> {
        self.seen.lock().unwrap().clone()
    }
}

fn ok() -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        BODY.len()
    )
}

/// The origin gets it; an origin that a redirect leads to does not, although it asks.
#[test]
fn a_certificate_is_shown_to_its_origin_and_to_no_other() {
    let sandbox = Sandbox::new();
    let pki = Pki::new();
    let (cert, key) = pki.signed("me");
    fs::write(sandbox.path("ca.pem"), pki.root().pem()).unwrap();
    fs::write(sandbox.path("cert.pem"), cert.pem()).unwrap();
    fs::write(sandbox.path("key.pem"), key.serialize_pem()).unwrap();
    fs::write(sandbox.path("both.pem"), cert.pem() + &key.serialize_pem()).unwrap();
    let server = Server::start(&pki, true, ok());
    let url = server.url();
    for pair in [
        &["--cert", "cert.pem", "--key", "key.pem"][..],
        &["--cert", "both.pem"],
    ] {
        for command in [&["fetch", &url, "-o", "out"][..], &["mount", &url, "dir"]] {
            let arguments = [command, &["--cacert", "ca.pem"], pair].concat();
            sandbox.run(arguments).must(0);
        }
        sandbox.run(["unmount", "dir"]).must(0);
        assert_eq!(fs::read(sandbox.path("out")).unwrap(), BODY);
    }
    assert_eq!(server.seen(), [true; 4]);
    let without = ["fetch", &url, "--ca-file", "ca.pem", "--tries", "1"];
    sandbox.run(without).must(11);

    let other = Server::start(&pki, false, ok());
    let to = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        other.url(),
        BODY.len()
    );
    let first = Server::start(&pki, false, to);
    let url = first.url();
    let arguments = [
        "fetch",
        &url,
        "-o",
        "out",
        "--ca-file",
        "ca.pem",
        "--cert",
        "both.pem",
    ];
    sandbox.run(arguments).must(0);
    assert_eq!((first.seen(), other.seen()), (vec![true], vec![false]));
}

/// What came to one who is known is not given to one who is not (docs/design/laws.md, law 7).
#[test]
fn a_certificate_is_a_part_of_the_trust_context() {
    let sandbox = Sandbox::new();
    let pki = Pki::new();
    fs::write(sandbox.path("ca.pem"), pki.root().pem()).unwrap();
    for name in ["one", "two"] {
        let (cert, key) = pki.signed(name);
        fs::write(sandbox.path(name), cert.pem() + &key.serialize_pem()).unwrap();
    }
    let server = Server::start(&pki, false, ok());
    let url = server.url();
    for (dir, cert, gets) in [
        ("a", Some("one"), 1),
        ("b", Some("one"), 1),
        ("c", Some("two"), 2),
        ("d", None, 3),
    ] {
        let mut arguments = vec![
            "mount",
            &url,
            dir,
            "--ca-file",
            "ca.pem",
            "--pull-policy",
            "IfNotPresent",
        ];
        arguments.extend(cert.into_iter().flat_map(|cert| ["--cert", cert]));
        sandbox.run(arguments).must(0);
        assert_eq!(server.seen().len(), gets, "{dir}");
    }
}

/// A pair that cannot be used is refused at the start, in words.
#[test]
fn a_broken_pair_is_refused_before_anything_is_asked() {
    let sandbox = Sandbox::new();
    let pki = Pki::new();
    let ((cert, key), (_, other)) = (pki.signed("me"), pki.signed("other"));
    let write = |name: &str, text: &str| fs::write(sandbox.path(name), text).unwrap();
    write("cert", &cert.pem());
    write("key", &key.serialize_pem());
    write("other", &other.serialize_pem());
    write("empty", "");
    write("cut", &cert.pem().replace("-----END", "-----"));
    write(
        "wrong",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    write(
        "odd",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    write("locked", locked);
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    write("old", old);
    for (cert, key, says) in [
        ("cert", "other", "do not match"),
        ("cert", "none", "the client key none: No such file"),
        ("none", "key", "the client certificate none: No such file"),
        ("key", "key", "contains no certificate"),
        ("empty", "key", "contains no certificate"),
        ("cut", "key", "the client certificate cut: it is damaged"),
        (
            "wrong",
            "key",
            "the client certificate wrong: it is damaged",
        ),
        ("cert", "cert", "contains no private key"),
        ("cert", "odd", "its type is not supported"),
        ("cert", "locked", "protected by a passphrase"),
        ("cert", "old", "protected by a passphrase"),
    ] {
        let arguments = [
            "fetch",
            "https://127.0.0.1:9/a.war",
            "--cert",
            cert,
            "--key",
            key,
        ];
        let ran = sandbox.run(arguments).must(2).says(says);
        speaks_no_yaml(&ran);
    }
    let alone = ["fetch", "https://127.0.0.1:9/a.war", "--key", "key"];
    sandbox.run(alone).must(2).says("--cert");
}
