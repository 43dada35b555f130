//! Heads of answers: what curl goes on behind is gone on behind, and what no parser takes is final and said in words.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::{Engine, request, sha256};
use crate::origin::{Behaviour, Object, Origin};
use crate::raw::Raw;
use crate::sandbox::Sandbox;

const PATH: &str = "/v2/sample.war";
const BYTES: &[u8] = b"what it is about";

fn origin() -> Origin {
    let origin = Origin::start();
    origin.put(PATH, Object::new(BYTES));
    origin
}

/// Bytes as the origin writes them: each as the character of its number.
fn octets(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

fn fetches(url: &str) {
    let sandbox = Sandbox::new();
    sandbox.run(["fetch", url, "-o", "out"]).must(0);
    assert!(
        std::fs::read(sandbox.path("out")).unwrap() == BYTES,
        "{url}"
    );
}

#[test]
fn a_location_is_followed_in_any_bytes() {
    for (location, path) in [
        (
            "/größe/日本.war".as_bytes(),
            "/gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC.war",
        ),
        (b"/gr\xf6\xdfe.war", "/gr%F6%DFe.war"),
        (b"/a b.war", "/a%20b.war"),
        ("ü.war".as_bytes(), "/v2/%C3%BC.war"),
    ] {
        let origin = origin();
        origin.put(path, Object::new(BYTES));
        let to = octets(location);
        origin.behave(PATH, vec![Behaviour::RedirectElsewhere { to }.always()]);
        fetches(&origin.url(PATH));
        assert_eq!(origin.gets(path), 1, "{path}");
    }
    let origin = origin();
    origin.put("/x", Object::new(BYTES));
    for query in ["name=größe".as_bytes(), b"name=gr\xf6\xdfe"] {
        let to = format!("/x?{}", octets(query));
        origin.behave(PATH, vec![Behaviour::RedirectElsewhere { to }.always()]);
        fetches(&origin.url(PATH));
    }
    let log = origin.log();
    let queries: Vec<_> = log
        .iter()
        .filter(|s| s.path == "/x")
        .map(|s| s.query.as_str())
        .collect();
    assert_eq!(queries, ["name=gr%C3%B6%C3%9Fe", "name=gr%F6%DFe"]);
}

/// What is no URL in any reading is refused, in words.
#[test]
fn a_location_that_is_no_url_is_final() {
    let sandbox = Sandbox::new();
    for to in [
        octets(b"http://h\xf6st.example/x"),
        "http://[".into(),
        "http://a b/".into(),
    ] {
        let origin = origin();
        origin.behave(PATH, vec![Behaviour::RedirectElsewhere { to }.always()]);
        sandbox
            .run(["fetch", &origin.url(PATH), "-o", "out"])
            .must(5)
            .says("has a Location that is not a URL");
        assert_eq!(origin.gets(PATH), 1);
    }
}

/// A tag is bytes (RFC 9110 §8.8.3), and goes back as it came.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_goes_back_byte_for_byte() {
    for tag in [
        &b"\"caf\xe9\""[..],
        "\"größe\"".as_bytes(),
        b"\"\xff\xa0\x85\"",
        b"\"a\\b\"",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let origin = Origin::start();
        let object = Object::new(bytes.clone());
        origin.put(
            PATH,
            Object {
                etag: Some(octets(tag)),
                ..object
            },
        );
        origin.behave(PATH, vec![Behaviour::ResetAt { at: 100_000 }.times(1)]);
        let sent = |name: &str| -> Vec<String> {
            let headers = origin.log().into_iter().flat_map(|seen| seen.headers);
            headers.filter(|(n, _)| n == name).map(|(_, v)| v).collect()
        };
        let want = request(&origin.url(PATH), None);
        for _ in 0..2 {
            let engine = Engine::open(dir.path(), None);
            let blob = engine.get(&want).await.unwrap();
            assert!(engine.bytes(&blob) == bytes);
        }
        assert_eq!(sent("if-range"), [octets(tag)]);
        assert_eq!(sent("if-none-match"), [octets(tag)]);
        let statuses: Vec<_> = origin.log().iter().map(|seen| seen.status).collect();
        assert_eq!(statuses, [200, 206, 304], "{tag:?}");
    }
}

/// Every header that is read, in bytes that are no text.
#[test]
fn a_header_in_other_bytes_than_text_is_no_failure() {
    for name in [
        "Retry-After",
        "Content-Type",
        "Last-Modified",
        "ETag",
        "Date",
        "Content-Range",
        "Location",
        "Accept-Ranges",
        "Content-Disposition",
        "Server",
        "Connection",
    ] {
        for value in [&b"\xf6\xdf"[..], "größe".as_bytes(), b"\"\xff\""] {
            let mut answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{name}: ",
                BYTES.len()
            )
            .into_bytes();
            answer.extend([value, b"\r\n\r\n", BYTES].concat());
            let raw = Raw::start(&answer);
            fetches(&raw.url(PATH));
            assert_eq!(raw.asked.load(Ordering::SeqCst), 1, "{name}");
        }
    }
    // The reason in a status line too.
    let mut answer = b"HTTP/1.1 200 gr\xfc\xdf dich\r\nContent-Length: 16\r\n\r\n".to_vec();
    answer.extend(BYTES);
    fetches(&Raw::start(&answer).url(PATH));
}

#[test]
fn as_many_header_fields_as_curl_takes_are_taken() {
    for behaviour in [
        Behaviour::ManyFields { count: 150 },
        Behaviour::ManyFields { count: 4900 },
        Behaviour::HugeHead { kib: 290 },
    ] {
        let origin = origin();
        origin.behave(PATH, vec![behaviour.always()]);
        fetches(&origin.url(PATH));
        assert_eq!(origin.gets(PATH), 1);
    }
}

/// What curl and browsers go on behind (RFC 9112 §5.2 asks it for folded lines).
#[test]
fn an_odd_line_in_the_head_is_gone_on_behind() {
    for line in [
        &b"X Y: z"[..],
        b"X-Gr\xf6\xdfe: z",
        b"no colon",
        b"X-Folded: one\r\n two",
        b"X-Spaced : z",
        b"X-Control: a\x01b",
        b": no name",
    ] {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n".to_vec();
        answer.extend([line, b"\r\n\r\n", BYTES].concat());
        let raw = Raw::start(&answer);
        fetches(&raw.url(PATH));
        assert_eq!(raw.asked.load(Ordering::SeqCst), 1);
    }
    // Read as what they are, where they matter.
    for line in [
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n10\r\n");
        let answer = [head.as_bytes(), BYTES, b"\r\n0\r\n\r\n"].concat();
        fetches(&Raw::start(&answer).url(PATH));
    }
}

#[test]
fn what_no_parser_takes_is_final_and_said_in_words() {
    let sandbox = Sandbox::new();
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(5100));
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(500 << 10));
    for (answer, says) in [
        (many.as_str(), "too many or too long header fields"),
        (&huge, "too many or too long header fields"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nX: a\0b\r\n\r\n",
            "an invalid header field",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nContent-Length: 17\r\n\r\n",
            "a Content-Length that is not a single number",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "a Content-Length that is not a single number",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "a Content-Length that is not a single number",
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "a Transfer-Encoding in HTTP/1.0",
        ),
        ("HTTP/1.1 2000 OK\r\n\r\n", "an invalid status line"),
        ("HTTP/1.1 abc OK\r\n\r\n", "an invalid status line"),
        ("HTTP/1.1 099 OK\r\n\r\n", "an invalid status line"),
        ("HTTP/3.0 200 OK\r\n\r\n", "something other than HTTP/1"),
        ("ICY 200 OK\r\n\r\n", "something other than HTTP/1"),
        ("SSH-2.0-OpenSSH_9.2p1\r\n", "something other than HTTP/1"),
        ("<html>hello</html>\r\n\r\n", "something other than HTTP/1"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "invalid chunks",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
            "invalid chunks",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            "invalid chunks",
        ),
    ] {
        let raw = Raw::start(answer.as_bytes());
        let ran = sandbox
            .run(["fetch", &raw.url(PATH), "-o", "out"])
            .must(11)
            .says(says);
        assert_eq!(raw.asked.load(Ordering::SeqCst), 1, "{}", ran.stderr);
        for word in ["was cut off", "parse", "hyper", "Error", "retrying"] {
            assert!(!ran.stderr.contains(word), "{word}: {}", ran.stderr);
        }
        ran.says(&raw.address.to_string()).says("curl -v");
    }
    // A connection that breaks is still asked again: these heads and chunks only end too early.
    for answer in [
        "HTTP/1.1 200 OK\r\nX: y",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "HT",
        "",
    ] {
        let raw = Raw::start(answer.as_bytes());
        sandbox
            .run(["fetch", &raw.url(PATH), "--tries", "3"])
            .must(11)
            .says("was cut off");
        assert_eq!(raw.asked.load(Ordering::SeqCst), 3, "{answer}");
    }
}

/// A line that is left out must not leave the end of the body to be guessed.
#[test]
fn an_odd_line_of_framing_is_not_made_up_for() {
    let sandbox = Sandbox::new();
    let pin = sha256(BYTES).to_string();
    for line in [
        "Content-Length 16",
        "Content-Length\u{1}: 16",
        "Transfer-Encoding: \u{1}",
    ] {
        let mut answer = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n").into_bytes();
        answer.extend(BYTES);
        let raw = Raw::start(&answer);
        let url = raw.url(PATH);
        sandbox
            .run(["fetch", &url, "-o", "out"])
            .must(2)
            .says("neither Content-Length nor chunks");
        sandbox
            .run(["fetch", &url, "-o", "out", "--checksum", &pin])
            .must(0);
    }
}

/// An answer with more bytes than it says: they are not read as the head of the next one, which would be final.
#[test]
fn what_an_answer_has_too_much_is_not_the_next_ones_head() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
    let (over, address) = (Arc::<AtomicBool>::default(), listener.local_addr().unwrap());
    let stop = Arc::clone(&over);
    let server = std::thread::spawn(move || {
        std::thread::scope(|all| {
            while let Ok((mut peer, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                all.spawn(move || {
                    let redirect =
                        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n";
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BYTES.len());
                    let whole = [head.as_bytes(), BYTES].concat();
                    for number in 0.. {
                        let mut seen = Vec::new();
                        while !seen.ends_with(b"\r\n\r\n") {
                            let mut some = [0; 4096];
                            match peer.read(&mut some) {
                                Ok(n @ 1..) => seen.extend_from_slice(&some[..n]),
                                Ok(0) | Err(_) => return,
                            }
                        }
                        // The rest of the redirect's body comes late, when the next request is on its way.
                        let answer = match (seen.starts_with(b"GET /x "), number) {
                            (false, _) => redirect.to_vec(),
                            (true, 0) => whole.clone(),
                            (true, _) => [b"<p>moved</p>", &whole[..]].concat(),
                        };
                        if peer.write_all(&answer).is_err() {
                            return;
                        }
                    }
                });
            }
        });
    });
    fetches(&url);
    over.store(true, Ordering::SeqCst);
    let _ = TcpStream::connect(address);
    server.join().unwrap();
}
