//! FAULTS 44: canaries in every place where a secret may be, at every step at which a command may fail, with all that
//! can be logged. None sings.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::node::{bytes, digest, until};
use crate::origin::{Behaviour, Object, Origin, RetryAfter};
use crate::sandbox::Sandbox;

const CANARY: &str = "c4nary";
/// The same, as basic credentials would show it: of `c4nary-user:c4nary-password`.
const CODED: &str = "YzRuYXJ5";

/// What is logged in these tests: everything that can be.
const LEVELS: [&str; 2] = [
    "trace",
    // Whoever asks for the innards of a library does not get them either.
    "trace,reqwest=trace,reqwest::connect=trace,hyper=trace,hyper::proto=trace,hyper_util=trace,\
     hyper_util::client=trace,hyper_util::client::legacy=trace,rustls=trace,rustls::client=trace,\
     hickory_resolver=trace,hickory_proto=trace,war_vol=trace",
];

/// One way to give credentials.
#[derive(Clone, Copy, Debug)]
enum Given {
    Token,
    Password,
    File,
    Proxy,
}

const ALL: [Given; 4] = [Given::Token, Given::Password, Given::File, Given::Proxy];

struct Cage {
    sandbox: Sandbox,
    runs: usize,
    /// What was logged so far.
    heard: String,
}

impl Cage {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        fs::write(
            sandbox.path("credentials"),
            format!("token={CANARY}-file\n"),
        )
        .unwrap();
        Self {
            sandbox,
            runs: 0,
            heard: String::new(),
        }
    }

    /// A command with secrets wherever one can be given, and everything logged.
    fn command(&mut self, given: Given, proxy: &Origin, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.war_vol();
        self.runs += 1;
        let format = ["text", "json"][self.runs % 2];
        command
            .args(arguments)
            .args(["--log-format", format, "--output", "json"])
            .args(["--log-level", LEVELS[self.runs / 2 % 2]])
            .env("RUST_BACKTRACE", "full");
        match given {
            Given::Token => command.env("WAR_VOL_TOKEN", format!("{CANARY}-token")),
            Given::Password => command
                .env("WAR_VOL_USERNAME", format!("{CANARY}-user"))
                .env("WAR_VOL_PASSWORD", format!("{CANARY}-password")),
            Given::File => command.env("WAR_VOL_CREDENTIALS", self.sandbox.path("credentials")),
            Given::Proxy => {
                let through = format!("http://{CANARY}-u:{CANARY}-p@{}", proxy.address());
                command
                    .env("HTTP_PROXY", &through)
                    .env("HTTPS_PROXY", &through)
                    .env("http_proxy", &through)
                    .env("https_proxy", through)
            }
        };
        command
    }

    /// Runs it with every kind of credentials, and listens.
    fn listen(&mut self, proxy: &Origin, arguments: &[&str], codes: &[i32]) {
        for given in ALL {
            let ran = self.command(given, proxy, arguments).output().unwrap();
            let code = ran.status.code().unwrap();
            let words = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert!(
                codes.contains(&code),
                "{given:?} {arguments:?} {code}: {words}"
            );
            silent(&words, "stderr");
            silent(&String::from_utf8_lossy(&ran.stdout), "stdout");
            for library in ["hyper", "reqwest", "hickory", "rustls::"] {
                assert!(!words.contains(library), "{library} is heard: {words}");
            }
            self.heard.push_str(&words);
            self.files_are_silent();
        }
    }

    /// No file of the store holds a secret, nor has one in its name.
    fn files_are_silent(&self) {
        walk(&self.sandbox.root(), &mut |path| {
            silent(&path.to_string_lossy(), "a name");
            if path.is_file() {
                let text = fs::read(path).unwrap();
                silent(&String::from_utf8_lossy(&text), &path.to_string_lossy());
            }
        });
    }
}

fn silent(text: &str, place: &str) {
    for secret in [CANARY, CODED] {
        if let Some(at) = text.find(secret) {
            let from = text[..at]
                .char_indices()
                .rev()
                .nth(200)
                .map_or(0, |(i, _)| i);
            panic!(
                "a canary sings in {place}: {}",
                &text[from..at + secret.len()]
            );
        }
    }
}

fn walk(path: &Path, look: &mut impl FnMut(&Path)) {
    look(path);
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), look);
        }
    }
}

/// An origin with an artifact, and a proxy that has the same under the whole URL by which it is asked.
fn origins() -> (Origin, Origin) {
    let (origin, proxy) = (Origin::start(), Origin::start());
    origin.put("/a.war", Object::new(bytes(44, 300_000)));
    proxy.put(&origin.url("/a.war"), Object::new(bytes(44, 300_000)));
    (origin, proxy)
}

/// Both do the same.
fn behave(origin: &Origin, proxy: &Origin, behaviour: Behaviour) {
    proxy.behave(&origin.url("/a.war"), vec![behaviour.clone().always()]);
    origin.behave("/a.war", vec![behaviour.always()]);
}

fn secret_url(origin: &Origin) -> String {
    origin.url(&format!("/a.war?sig={CANARY}-sig&X-Amz-Signature={CANARY}"))
}

#[test]
fn nothing_sings_where_all_goes_well() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let url = secret_url(&origin);
    for arguments in [
        &["mount", &url, "dir"][..],
        &["mount", &url, "dir"],
        &["volumes"],
        &["cache", "ls"],
        &["cache", "verify"],
        &["unmount", "dir"],
        &["fetch", &url, "-o", "out"],
    ] {
        cage.listen(&proxy, arguments, &[0]);
    }
    assert!(origin.has_seen(&format!("Bearer {CANARY}-token")));
    assert!(origin.has_seen(&format!("sig={CANARY}-sig")));
    assert!(origin.has_seen(CODED));
    assert!(proxy.has_seen("Basic "), "the proxy was asked");
    assert!(cage.heard.contains("downloaded"), "nothing was logged");
    let files = fs::read_dir(cage.sandbox.root()).unwrap().count();
    assert!(files >= 3, "the store was looked at");
}

#[test]
fn nothing_sings_where_an_origin_refuses_or_fails() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let url = secret_url(&origin);
    let busy = Behaviour::Busy {
        status: 500,
        retry_after: RetryAfter::Unsaid,
    };
    let failures: [(Behaviour, i32); 9] = [
        (Behaviour::Refused { status: 401 }, 4),
        (Behaviour::Refused { status: 403 }, 5),
        (Behaviour::Refused { status: 404 }, 3),
        (busy, 11),
        (Behaviour::Garbage, 11),
        (Behaviour::FinAt { at: 1000 }, 11),
        (Behaviour::RedirectNowhere, 5),
        (Behaviour::Gzipped, 2),
        (Behaviour::Endless, 7),
    ];
    for (failure, code) in failures {
        behave(&origin, &proxy, failure);
        let arguments = ["mount", &url, "dir", "--tries", "2", "--max-size", "2Mi"];
        cage.listen(&proxy, &arguments, &[code, 11]);
    }
}

#[test]
fn nothing_sings_in_a_redirect() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let (second, _) = origins();
    let url = secret_url(&origin);
    let theirs = format!("sig={CANARY}-theirs");
    for (to, codes) in [
        (second.url(&format!("/a.war?{theirs}")), [0, 3, 8, 11]),
        (second.url(&format!("/none?{theirs}")), [0, 3, 8, 11]),
        (format!("http://127.0.0.1:9/a.war?{theirs}"), [0, 3, 8, 11]),
        (
            format!("http://169.254.169.254/a.war?{theirs}"),
            [5, 3, 8, 11],
        ),
        (
            format!("http://u:{CANARY}@{}/a.war", second.address()),
            [0, 3, 8, 11],
        ),
        (
            format!("http://nowhere.invalid/a.war?{theirs}"),
            [0, 3, 8, 11],
        ),
        (
            format!("ftp://u:{CANARY}@127.0.0.1/a.war?{theirs}"),
            [5, 3, 8, 11],
        ),
        (format!("http://[{CANARY}/a.war?{theirs}"), [5, 3, 8, 11]),
    ] {
        super::input::names(&cage.sandbox, "");
        behave(&origin, &proxy, Behaviour::RedirectElsewhere { to });
        cage.listen(&proxy, &["mount", &url, "dir", "--tries", "2"], &codes);
        let _ = cage.sandbox.run(["unmount", "dir"]);
        cage.sandbox.run(["cache", "prune"]).must(0);
    }
    assert!(second.has_seen(&theirs), "it was followed");
    assert!(!second.has_seen("-token") && !second.has_seen(CODED));
}

#[test]
fn nothing_sings_where_there_is_no_name_no_connection_and_no_certificate() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    super::input::names(&cage.sandbox, "");
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let tls = Origin::start_tls();
    tls.put("/a.war", Object::new(bytes(44, 1000)));
    let query = format!("?sig={CANARY}-sig");
    for url in [
        format!("http://nowhere.invalid/a.war{query}"),
        format!("http://{closed}/a.war{query}"),
        format!("https://{closed}/a.war{query}"),
        tls.url(&format!("/a.war{query}")),
    ] {
        let arguments = ["mount", &url, "dir", "--tries", "2", "--stall-time", "1s"];
        cage.listen(&proxy, &arguments, &[3, 5, 11]);
    }
    // A proxy that is not there.
    let gone = Origin::start();
    let address = gone.address();
    drop(gone);
    let through = format!("http://{CANARY}-u:{CANARY}-p@{address}");
    for scheme in ["http", "https"] {
        let url = origin.url("/a.war").replace("http:", &format!("{scheme}:"));
        let mut command = cage.command(
            Given::Token,
            &origin,
            &["mount", &url, "dir", "--tries", "1"],
        );
        command
            .env("HTTP_PROXY", &through)
            .env("HTTPS_PROXY", &through);
        let ran = command.output().unwrap();
        assert_eq!(ran.status.code(), Some(11));
        silent(&String::from_utf8_lossy(&ran.stderr), "stderr");
    }
}

#[test]
fn nothing_sings_where_the_bytes_are_wrong_or_do_not_fit() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let url = secret_url(&origin);
    let wrong = digest(b"wrong");
    cage.listen(
        &proxy,
        &["mount", &url, "dir", "--checksum", &wrong],
        &[6, 11],
    );
    cage.listen(
        &proxy,
        &["mount", &url, "dir", "--max-size", "1Ki"],
        &[7, 11],
    );
    cage.listen(
        &proxy,
        &["mount", &url, "dir", "--cache-size", "1Ki"],
        &[10, 11],
    );
    cage.listen(
        &proxy,
        &["mount", &url, "dir", "--pull-policy", "Never"],
        &[3],
    );
    cage.listen(&proxy, &["fetch", &url, "-o", "missing/out"], &[11]);
}

#[test]
fn nothing_sings_in_what_is_typed_wrong() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let good = secret_url(&origin);
    for url in [
        format!("https://me:{CANARY}@example.com/a.war"),
        format!("https://{CANARY}@example.com/a.war"),
        format!("https://example.com/?{CANARY}"),
        format!("https://example.com/a#{CANARY}"),
        format!("https://example.com:99999/a?{CANARY}"),
        format!("example.com/a?{CANARY}"),
        format!("//me:{CANARY}@example.com/a"),
        format!("s3://bucket/a?{CANARY}"),
        format!("https://example.com/a b?{CANARY}"),
    ] {
        let ran = cage.command(Given::Token, &proxy, &["mount", &url, "dir"]);
        let ran = { ran }.output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{url}");
        silent(&String::from_utf8_lossy(&ran.stderr), "stderr");
        silent(&String::from_utf8_lossy(&ran.stdout), "stdout");
    }
    for arguments in [
        &["mount", &good][..],
        &["mount", &good, "dir", "--bogus"],
        &["mount", &good, "dir", "--tries", "x"],
        &["mount", &good, "dir", "--path", "../x"],
        &["mount", "--help"],
    ] {
        let ran = cage
            .command(Given::Password, &proxy, arguments)
            .output()
            .unwrap();
        silent(&String::from_utf8_lossy(&ran.stderr), "stderr");
        silent(&String::from_utf8_lossy(&ran.stdout), "stdout");
    }
}

/// Killed in the middle of a download: what lies in the store then, and what another program says about the holder of
/// the lock.
#[test]
fn nothing_sings_after_a_kill_and_in_the_lock() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let url = secret_url(&origin);
    origin.behave(
        "/a.war",
        vec![Behaviour::SilenceAt { at: 200_000 }.always()],
    );
    for given in [Given::Token, Given::Password, Given::File] {
        let before = origin.bytes_sent("/a.war");
        // The URL first: what a holder writes into the lock must not come from there.
        let mut command = cage.command(given, &proxy, &["mount", &url, "dir"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("it downloads", || origin.bytes_sent("/a.war") > before);
        until("its bytes are there", || {
            cage.sandbox
                .bucket("partial")
                .iter()
                .any(|p| p.join("meta").exists())
        });
        let lock = fs::read_to_string(cage.sandbox.root().join("lock")).unwrap();
        assert_eq!(lock, format!("process {} (war-vol mount)", child.id()));
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        silent(&String::from_utf8_lossy(&ended.stderr), "stderr");
        cage.files_are_silent();
    }
    let flags_first = ["--log-level", "trace", "mount", &url, "dir", "--tries", "1"];
    let ran = cage
        .sandbox
        .war_vol()
        .args(flags_first)
        .env("WAR_VOL_STALL_TIME", "1s")
        .output();
    assert_eq!(ran.unwrap().status.code(), Some(11));
    cage.files_are_silent();
}
