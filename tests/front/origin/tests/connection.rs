//! Connections: how they begin, live on and end with the origin.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::client::{Ended, connect, get};
use super::*;

#[test]
fn a_connection_serves_several_requests() {
    for origin in [origin(Vec::new()), tls_origin(Vec::new())] {
        let mut stream = connect(&origin, Duration::from_secs(1));
        for _ in 0..3 {
            write!(
                stream,
                "GET {PATH} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n"
            )
            .unwrap();
            stream.flush().unwrap();
            let mut reply = Vec::new();
            while !reply.ends_with(&sample(10)) {
                let mut chunk = [0; 1024];
                let n = stream.read(&mut chunk).unwrap();
                assert_ne!(n, 0, "closed");
                reply.extend_from_slice(&chunk[..n]);
            }
        }
        assert_eq!((origin.connections(), origin.gets(PATH)), (1, 3));
    }
}

#[test]
fn tls_is_spoken_and_closed_in_good_order() {
    let origin = tls_origin(Vec::new());
    assert!(origin.url(PATH).starts_with("https://127.0.0.1:"));
    let reply = get(&origin, PATH, &[]);
    assert_eq!((reply.status(), reply.ended), (200, Ended::Fin));
    assert_eq!(reply.body(), sample(1000));
}

#[test]
fn a_connection_is_closed_on_accept_so_often() {
    let origin = origin(vec![B::ClosedOnAccept.times(2)]);
    for _ in 0..2 {
        let reply = get(&origin, PATH, &[]);
        assert!(matches!(reply.ended, Ended::Fin | Ended::Reset));
        assert!(reply.raw.is_empty());
    }
    assert_eq!(get(&origin, PATH, &[]).status(), 200);
    assert_eq!((origin.connections(), origin.gets(PATH)), (3, 1));
}

#[test]
fn a_slow_accept_takes_its_time() {
    let origin = tls_origin(vec![B::SlowAccept { ms: 50 }.times(1)]);
    let slow = get(&origin, PATH, &[]);
    assert_eq!(slow.status(), 200);
    assert!(slow.took >= Duration::from_millis(50));
}

#[test]
fn the_origin_ends_with_its_value_whatever_its_threads_do() {
    let origin = origin(vec![B::Silence.times(1), B::Endless.times(1)]);
    let mut streams = [
        connect(&origin, Duration::from_secs(1)),
        connect(&origin, Duration::from_secs(1)),
        connect(&origin, Duration::from_secs(1)),
    ];
    for stream in &mut streams[..2] {
        write!(stream, "GET {PATH} HTTP/1.1\r\n\r\n").unwrap();
    }
    while origin.gets(PATH) < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let address = origin.address();
    let begin = Instant::now();
    drop(origin);
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert!(std::net::TcpStream::connect(address).is_err());
}
