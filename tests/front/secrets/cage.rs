//! A place full of canaries, and ears.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::node::bytes;
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

pub(crate) const CANARY: &str = "c4nary";
/// The same, as basic credentials would show it: of `c4nary-user:c4nary-password`.
pub(crate) const CODED: &str = "YzRuYXJ5";

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
pub(super) enum Given {
    Token,
    Password,
    File,
    Proxy,
}

const ALL: [Given; 4] = [Given::Token, Given::Password, Given::File, Given::Proxy];

pub(super) struct Cage {
    pub(super) sandbox: Sandbox,
    runs: usize,
    /// What was logged so far.
    pub(super) heard: String,
}

impl Cage {
    pub(super) fn new() -> Self {
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
    pub(super) fn command(&mut self, given: Given, proxy: &Origin, arguments: &[&str]) -> Command {
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
    pub(super) fn listen(&mut self, proxy: &Origin, arguments: &[&str], codes: &[i32]) {
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

    pub(super) fn files_are_silent(&self) {
        files_are_silent(&self.sandbox.root());
    }
}

/// No file of a store holds a secret, nor has one in its name.
pub(crate) fn files_are_silent(root: &Path) {
    walk(root, &mut |path| {
        silent(&path.to_string_lossy(), "a name");
        if path.is_file() {
            let text = fs::read(path).unwrap();
            silent(&String::from_utf8_lossy(&text), &path.to_string_lossy());
        }
    });
}

pub(crate) fn silent(text: &str, place: &str) {
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
pub(super) fn origins() -> (Origin, Origin) {
    let (origin, proxy) = (Origin::start(), Origin::start());
    origin.put("/a.war", Object::new(bytes(44, 300_000)));
    proxy.put(&origin.url("/a.war"), Object::new(bytes(44, 300_000)));
    (origin, proxy)
}

/// Both do the same.
pub(super) fn behave(origin: &Origin, proxy: &Origin, behaviour: Behaviour) {
    proxy.behave(&origin.url("/a.war"), vec![behaviour.clone().always()]);
    origin.behave("/a.war", vec![behaviour.always()]);
}

pub(crate) fn secret_url(origin: &Origin) -> String {
    origin.url(&format!("/a.war?sig={CANARY}-sig&X-Amz-Signature={CANARY}"))
}
