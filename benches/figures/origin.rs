//! An nginx of our own on this machine, pinned to one core, and what it serves.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

use crate::outcome::{Outcome, say};
use crate::place::{Place, command, sleep};

/// The core that nginx is on; see [`crate::cold::CLIENT_CORE`].
const AFFINITY: &str = "01";

/// Something that is served.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) size: u64,
    /// Hexadecimal.
    pub(crate) sha256: String,
}

/// The server. Ends with this value.
pub(crate) struct Origin {
    nginx: Child,
    port: u16,
    tls_port: u16,
    dir: PathBuf,
    /// 500 MB.
    pub(crate) large: Object,
    /// 1 MiB.
    pub(crate) small: Object,
}

impl Origin {
    pub(crate) fn start(place: &Place) -> Outcome<Self> {
        let dir = place.path("origin");
        fs::create_dir_all(dir.join("files"))?;
        say("making what the origin serves");
        let large = make(&dir, "large.bin", 500_000_000)?;
        let small = make(&dir, "small.bin", 1 << 20)?;
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        fs::write(dir.join("cert.pem"), made.cert.pem())?;
        fs::write(dir.join("key.pem"), made.signing_key.serialize_pem())?;
        let (port, tls_port) = free_ports()?;
        fs::write(dir.join("nginx.conf"), configuration(&dir, port, tls_port))?;
        // nginx ends with this process, also where that is killed.
        let nginx = command("setpriv")
            .args(["--pdeathsig", "TERM", "nginx", "-e"])
            .arg(dir.join("error.log"))
            .arg("-p")
            .arg(&dir)
            .arg("-c")
            .arg(dir.join("nginx.conf"))
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| format!("nginx cannot be started: {e}; `make tools` installs it"))?;
        let mut origin = Self {
            nginx,
            port,
            tls_port,
            dir,
            large,
            small,
        };
        origin.wait()?;
        Ok(origin)
    }

    fn wait(&mut self) -> Outcome {
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if let Some(status) = self.nginx.try_wait()? {
                let log = fs::read_to_string(self.dir.join("error.log")).unwrap_or_default();
                return Err(format!("nginx ended with {status}: {log}").into());
            }
            if began.elapsed() > Duration::from_secs(10) {
                return Err("nginx does not listen".into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(crate) fn url(&self, object: &Object) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, object.name)
    }

    /// The same at 200 MB/s, and logged.
    pub(crate) fn slow_url(&self, object: &Object) -> String {
        format!("http://127.0.0.1:{}/slow/{}", self.port, object.name)
    }

    /// The same at 5 MB/s, as from far away.
    pub(crate) fn distant_url(&self, object: &Object) -> String {
        format!("http://127.0.0.1:{}/distant/{}", self.port, object.name)
    }

    pub(crate) fn tls_url(&self, object: &Object) -> String {
        format!("https://127.0.0.1:{}/{}", self.tls_port, object.name)
    }

    /// The certificate that [`tls_url`](Self::tls_url) is served with.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    /// One more thing to serve.
    pub(crate) fn make(&self, name: &str, size: u64) -> Outcome<Object> {
        make(&self.dir, name, size)
    }

    /// Reads an object, so that it is served from memory.
    pub(crate) fn warm(&self, object: &Object) -> Outcome {
        io::copy(&mut File::open(&object.file)?, &mut io::sink())?;
        Ok(())
    }

    /// How many bytes of body each logged answer had, in the order in which they ended; waits for so many.
    pub(crate) fn sent(&self, answers: usize) -> Outcome<Vec<u64>> {
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(self.dir.join("access.log"))?;
            let lines: Vec<&str> = log.lines().collect();
            if lines.len() >= answers {
                let bytes = |line: &&str| line.split(' ').next().unwrap_or_default().parse();
                return Ok(lines.iter().map(bytes).collect::<Result<_, _>>()?);
            }
            if began.elapsed() > Duration::from_secs(10) {
                return Err(format!("the origin logged {} of {answers}", lines.len()).into());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// How many answers were logged so far.
    pub(crate) fn answers(&self) -> Outcome<usize> {
        Ok(self.ranges()?.len())
    }

    /// From which byte on each logged answer was asked for; nothing where all of it was.
    pub(crate) fn ranges(&self) -> Outcome<Vec<Option<u64>>> {
        let log = fs::read_to_string(self.dir.join("access.log")).unwrap_or_default();
        let range = |line: &str| match line.split_once(" bytes=") {
            Some((_, range)) => Ok(Some(range.trim_end_matches('-').parse::<u64>()?)),
            None => Ok(None),
        };
        log.lines().map(range).collect()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.nginx), Signal::TERM);
        let _ = self.nginx.wait();
    }
}

/// Bytes that nothing can compress, durable, so that nobody pays for writing them later.
fn make(dir: &Path, name: &str, size: u64) -> Outcome<Object> {
    let path = dir.join("files").join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create(&path)?;
    io::copy(&mut File::open("/dev/urandom")?.take(size), &mut file)?;
    file.sync_all()?;
    let mut hasher = Sha256::new();
    let mut file = File::open(&path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
    Ok(Object {
        name: name.to_owned(),
        file: path,
        size,
        sha256: hex::encode(hasher.finalize()),
    })
}

fn free_ports() -> io::Result<(u16, u16)> {
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

fn configuration(dir: &Path, port: u16, tls_port: u16) -> String {
    let dir = dir.display();
    format!(
        "daemon off;
user root;
pid {dir}/nginx.pid;
worker_processes 1;
worker_cpu_affinity {AFFINITY};
events {{}}
http {{
    log_format sent '$body_bytes_sent $http_range';
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {dir}/temp;
    proxy_temp_path {dir}/temp;
    fastcgi_temp_path {dir}/temp;
    uwsgi_temp_path {dir}/temp;
    scgi_temp_path {dir}/temp;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {dir}/cert.pem;
        ssl_certificate_key {dir}/key.pem;
        root {dir}/files;
        location /distant/ {{
            alias {dir}/files/;
            limit_rate 5m;
        }}
        location /slow/ {{
            alias {dir}/files/;
            limit_rate 200m;
            access_log {dir}/access.log sent;
        }}
    }}
}}
"
    )
}
