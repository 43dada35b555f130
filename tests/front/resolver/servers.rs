//! Who is asked in these tests: name servers, and a proxy.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a name server does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Serves {
    /// These names have these addresses, and others do not exist.
    Names(&'static [(&'static str, &'static str)]),
    /// An error code (RFC 1035 §4.1.1).
    Error(u8),
    Nothing,
    /// Not the same for both kinds of address: A first, then AAAA.
    Kinds(&'static Serves, &'static Serves),
}

/// The names that a server was asked for.
pub(super) type Asked = Arc<Mutex<Vec<String>>>;

/// A name server, over UDP alone.
pub(super) fn server(address: &str, serves: Serves) -> Asked {
    server_by_name(address, move |_| serves)
}

/// One that does not do the same with every name.
pub(super) fn server_by_name(
    address: &str,
    serves: impl Fn(&str) -> Serves + Send + 'static,
) -> Asked {
    let socket = UdpSocket::bind((address, 53)).unwrap();
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut query) {
            let name = asks_for(&query[..size]);
            let answer = answer(&query[..size], serves(&name));
            log.lock().unwrap().push(name);
            if let Some(answer) = answer {
                socket.send_to(&answer, from).unwrap();
            }
        }
    });
    asked
}

/// The name of a query.
fn asks_for(query: &[u8]) -> String {
    let (mut name, mut at) = (String::new(), 12);
    while query[at] != 0 {
        let label = &query[at + 1..=at + usize::from(query[at])];
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
        name.push('.');
        at += 1 + label.len();
    }
    name
}

/// What is answered to a query.
fn answer(query: &[u8], serves: Serves) -> Option<Vec<u8>> {
    let name = asks_for(query);
    // A label has its length before it, as the dot behind it has its place here.
    let at = 12 + name.len();
    let wants_v6 = query[at + 2] == 28;
    let mut text = query[..at + 5].to_vec();
    // An answer, by one who asks others; no record beside the question and the answers.
    text[2] = 0x81;
    text[8..12].fill(0);
    let code = match serves {
        Serves::Nothing => return None,
        Serves::Kinds(v4, v6) => return answer(query, if wants_v6 { *v6 } else { *v4 }),
        Serves::Error(code) => code,
        Serves::Names(all) => {
            let known = all.iter().filter(|(n, _)| *n == name);
            let mut count = 0;
            for (_, address) in known.clone() {
                let bytes = match address.parse().unwrap() {
                    IpAddr::V4(v4) if !wants_v6 => v4.octets().to_vec(),
                    IpAddr::V6(v6) if wants_v6 => v6.octets().to_vec(),
                    IpAddr::V4(_) | IpAddr::V6(_) => continue,
                };
                text.extend([
                    0xc0,
                    12,
                    0,
                    if wants_v6 { 28 } else { 1 },
                    0,
                    1,
                    0,
                    0,
                    0,
                    60,
                    0,
                ]);
                text.push(bytes.len() as u8);
                text.extend(bytes);
                count += 1;
            }
            text[7] = count;
            if known.count() == 0 { 3 } else { 0 }
        }
    };
    text[3] = 0x80 | code;
    Some(text)
}

/// A SOCKS proxy that refuses everything: its address, and the addresses that it was asked for.
pub(super) fn refuses() -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut take = |count: usize| {
                let mut bytes = vec![0; count];
                client.read_exact(&mut bytes).unwrap();
                bytes
            };
            let methods = take(2)[1];
            take(methods.into());
            client.write_all(&[5, 0]).unwrap();
            let mut kind = [0; 4];
            client.read_exact(&mut kind).unwrap();
            let mut bytes = vec![0; if kind[3] == 1 { 4 } else { 16 }];
            client.read_exact(&mut bytes).unwrap();
            let address = match <[u8; 4]>::try_from(bytes.as_slice()) {
                Ok(v4) => IpAddr::from(v4),
                Err(_) => IpAddr::from(<[u8; 16]>::try_from(bytes).unwrap()),
            };
            log.lock().unwrap().push(address.to_string());
            client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        }
    });
    (format!("socks5://{address}"), asked)
}
