//! Through a proxy, where the environment names one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// A proxy for a few connections: what is asked by its whole URL it asks itself, and CONNECT it tunnels.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().take(4) {
                serve(client.unwrap(), &log);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(client: TcpStream, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line);
    }
    let words: Vec<_> = head[0].split(' ').map(str::to_owned).collect();
    log.lock()
        .unwrap()
        .push(format!("{} {}", words[0], words[1]));
    let mut client = client;
    if words[0] == "CONNECT" {
        let origin = TcpStream::connect(&words[1]).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), origin.try_clone().unwrap());
        let up = thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut &origin, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = up.join();
    } else {
        let rest = words[1].strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let mut origin = TcpStream::connect(host).unwrap();
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        origin.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        origin.read_to_end(&mut answer).unwrap();
        client.write_all(&answer).unwrap();
    }
}

#[test]
fn http_and_https_go_through_the_proxy_and_what_is_excepted_does_not() {
    let sandbox = Sandbox::new();
    let (plain, tls) = (Origin::start(), Origin::start_tls());
    std::fs::write(sandbox.path("ca.pem"), tls.ca_pem()).unwrap();
    for (origin, variable) in [(&plain, "HTTP_PROXY"), (&tls, "HTTPS_PROXY")] {
        origin.put("/a.war", Object::new(b"bytes".to_vec()));
        let fetch = |no_proxy: &str, proxy: &Proxy| {
            let mut command = sandbox.war_vol();
            command.args([
                "fetch",
                &origin.url("/a.war"),
                "-o",
                "out",
                "--ca-file",
                "ca.pem",
            ]);
            command.env(variable, &proxy.url).env("NO_PROXY", no_proxy);
            assert!(command.status().unwrap().success());
            assert_eq!(std::fs::read(sandbox.path("out")).unwrap(), b"bytes");
        };
        let proxy = Proxy::start();
        fetch("", &proxy);
        assert_eq!(proxy.asked().len(), 1, "{variable} was not used");
        fetch("127.0.0.1", &proxy);
        assert_eq!(proxy.asked().len(), 1, "NO_PROXY was not heeded");
    }
}

#[test]
fn a_link_local_address_is_refused_before_a_proxy_is_asked() {
    let (sandbox, proxy) = (Sandbox::new(), Proxy::start());
    let mut command = sandbox.war_vol();
    command
        .args(["fetch", "http://169.254.169.254/latest/meta-data"])
        .env("HTTP_PROXY", &proxy.url);
    assert_eq!(command.status().unwrap().code(), Some(5));
    assert!(proxy.asked().is_empty());
}
