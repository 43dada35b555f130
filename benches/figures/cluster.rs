//! The cluster of the tests, with the driver that is measured in it, for figures that only a kubelet can give.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::outcome::Outcome;
use crate::preflight::WAR_VOL;

/// Where everything is that is made for the figures.
pub(crate) const SPACE: &str = "war-vol-bench";

/// How long a pod may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// A cluster that is up, with the driver in it; it is left as it is, but for the namespace of the figures.
pub(crate) struct Cluster {
    environment: Vec<(OsString, OsString)>,
}

impl Cluster {
    /// What is up, or a new one, with the image of the program that is measured.
    pub(crate) fn up() -> Outcome<Self> {
        let mut cluster = Self {
            environment: Vec::new(),
        };
        cluster.script("cluster.sh", &["up"])?;
        cluster.script("image.sh", &["--binary", WAR_VOL])?;
        cluster.environment = exported()?;
        cluster.remove()?;
        let space = ["create", "namespace", SPACE];
        ended(cluster.command("kubectl").args(space), "kubectl create")?;
        Ok(cluster)
    }

    /// One of the scripts of the tests, with what it says.
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> Outcome {
        let mut script = Command::new(scripts().join(name));
        ended(
            script.args(arguments).stdout(std::io::stderr()),
            &format!("tests/e2e/{name}"),
        )
    }

    /// A program that means this cluster, and the Docker daemon beside it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("env");
        command.arg(program).envs(self.environment.iter().cloned());
        command
    }

    /// `kubectl` in the namespace of the figures.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut kubectl = self.command("kubectl");
        kubectl.args(["--namespace", SPACE]).args(arguments);
        kubectl
    }

    /// An origin in the cluster that serves FILE as NAME; its URL.
    pub(crate) fn serve(&self, name: &str, file: &Path) -> Outcome<String> {
        let pair = format!("{name}={}", file.display());
        self.script("origin.sh", &[SPACE, &pair])?;
        Ok(format!("http://origin.{SPACE}.svc.cluster.local/{name}"))
    }

    /// Makes what is described, through the API server alone.
    pub(crate) fn create(&self, yaml: &str) -> Outcome {
        let mut kubectl = self.kubectl(&["create", "--filename", "-"]);
        let mut child = kubectl
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(yaml.as_bytes())?;
        }
        if child.wait()?.success() {
            return Ok(());
        }
        Err("kubectl create failed; it says why above".into())
    }

    /// Until the pod and what was its are gone.
    pub(crate) fn delete_pod(&self, name: &str) -> Outcome {
        let mut delete = self.kubectl(&["delete", "pod", name, "--now", "--wait"]);
        ended(delete.stdout(Stdio::null()), "kubectl delete")
    }

    pub(crate) fn watch(&self) -> Outcome<Watch> {
        Watch::start(self)
    }

    /// The namespace, with all that is in it.
    pub(crate) fn remove(&self) -> Outcome {
        let mut delete = self.command("kubectl");
        delete
            .args(["delete", "namespace", SPACE])
            .args(["--ignore-not-found", "--wait"]);
        ended(delete.stdout(Stdio::null()), "kubectl delete")
    }
}

/// What the API server says of the pods, by the clock of whoever hears it.
pub(crate) struct Watch {
    kubectl: Child,
    said: Receiver<(String, bool, Instant)>,
}

impl Watch {
    fn start(cluster: &Cluster) -> Outcome<Self> {
        let line =
            r#"jsonpath={.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}"#;
        let mut kubectl = cluster.kubectl(&["get", "pods", "--watch-only", "--output", line]);
        let mut kubectl = kubectl.stdout(Stdio::piped()).spawn()?;
        let stdout = kubectl.stdout.take().ok_or("kubectl has no output")?;
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let now = Instant::now();
                let (pod, ready) = line.split_once(' ').unwrap_or((&line, ""));
                if sender.send((pod.to_owned(), ready == "True", now)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { kubectl, said })
    }

    /// How long a pod takes from its creation until it is ready, in milliseconds.
    pub(crate) fn ready_after(&self, pod: &str) -> Outcome<f64> {
        let given_up = Instant::now() + PATIENCE;
        let mut created = None;
        loop {
            let left = given_up.saturating_duration_since(Instant::now());
            let (name, is_ready, at) = self.said.recv_timeout(left).map_err(|_| {
                format!("the pod {pod} is not ready; see kubectl -n {SPACE} describe pod {pod}")
            })?;
            if name != pod {
                continue;
            }
            let created = *created.get_or_insert(at);
            if is_ready {
                return Ok((at - created).as_secs_f64() * 1000.0);
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e")
}

/// The variables with which kubectl and docker mean the cluster.
fn exported() -> Outcome<Vec<(OsString, OsString)>> {
    let cluster = scripts().join("cluster.sh");
    let script = "source \"$(\"$1\" exports)\" && exec env --null";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, "bash"]).arg(cluster);
    let shown = bash.output()?;
    if !shown.status.success() {
        return Err("tests/e2e/cluster.sh does not say where the cluster is".into());
    }
    let variables = shown.stdout.split(|byte| *byte == 0);
    Ok(variables
        .filter_map(|variable| {
            let at = variable.iter().position(|byte| *byte == b'=')?;
            let (name, value) = variable.split_at(at);
            let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((text(name), text(value.get(1..)?)))
        })
        .collect())
}

fn ended(command: &mut Command, what: &str) -> Outcome {
    if command.status()?.success() {
        return Ok(());
    }
    Err(format!("{what} failed; it says why above").into())
}
