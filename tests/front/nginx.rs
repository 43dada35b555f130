//! A real nginx: its tag is made of the time in seconds and the size, and is called strong (docs/design/faults.md, 47).
#![expect(
    clippy::disallowed_methods,
    reason = "files that are as old as a test wants"
)]

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::node::{bytes, until};
use crate::sandbox::Sandbox;

/// Serves the sandbox's `www`, a megabyte a second, and writes down what it was asked for.
struct Nginx {
    process: Child,
    port: u16,
}

impl Nginx {
    fn start(sandbox: &Sandbox) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        let dir = sandbox.path("nginx");
        fs::create_dir_all(&dir).unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; user root; pid pid; error_log error.log;\n\
             events {{}}\n\
             http {{\n\
             log_format asked '$request $status $http_range $sent_http_etag';\n\
             access_log access.log asked;\n\
             {temporary}\
             server {{ listen 127.0.0.1:{port}; root {}; limit_rate 1m; }}\n\
             }}\n",
            sandbox.path("www").display()
        );
        fs::write(dir.join("nginx.conf"), configuration).unwrap();
        drop(free);
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "nginx", "-e", "error.log", "-p"])
            .arg(&dir)
            .args(["-c", "nginx.conf"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx, which `make tools` installs");
        let nginx = Self { process, port };
        until("nginx listens", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn row_47_a_file_that_nginx_cannot_tell_from_the_one_before_is_not_joined_to_it() {
    const SIZE: usize = 3_000_000;
    let sandbox = Sandbox::new();
    let www = sandbox.path("www");
    fs::create_dir(&www).unwrap();
    // From a clock that is ahead, so that no machine is so slow that the file is old.
    let time = SystemTime::now() + Duration::from_mins(1);
    let publish = |seed: u64| {
        fs::write(www.join("new"), bytes(seed, SIZE)).unwrap();
        let file = File::options().write(true).open(www.join("new")).unwrap();
        file.set_modified(time).unwrap();
        fs::rename(www.join("new"), www.join("a.war")).unwrap();
    };
    let nginx = Nginx::start(&sandbox);
    let url = format!("http://127.0.0.1:{}/a.war", nginx.port);

    publish(1);
    let mut first = sandbox
        .war_vol()
        .args(["mount", &url, "dir"])
        .spawn()
        .unwrap();
    until("a part is there", || {
        let partial = sandbox.bucket("partial");
        let length = partial
            .first()
            .and_then(|dir| fs::metadata(dir.join("data")).ok());
        length.is_some_and(|data| data.len() >= 300_000)
    });
    first.kill().unwrap();
    first.wait().unwrap();
    publish(2);
    sandbox.mount(&url, "dir", &[]);
    let came = fs::read(sandbox.path("dir/a.war")).unwrap();
    assert!(came == bytes(2, SIZE), "parts of two files");

    // What makes it hard: nginx gives both files one tag, and calls it strong.
    until("both answers are written down", || {
        let log = fs::read_to_string(sandbox.path("nginx/access.log")).unwrap_or_default();
        log.lines().count() == 2
    });
    let log = fs::read_to_string(sandbox.path("nginx/access.log")).unwrap();
    let asked: Vec<_> = log.lines().collect();
    let tag = |line: &str| line.rsplit(' ').next().unwrap().to_owned();
    assert!(
        asked[0] == asked[1] && asked[0].contains(" 200 - "),
        "{log}"
    );
    assert!(tag(asked[0]).starts_with("\\x22"), "{log}");
}
