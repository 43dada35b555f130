//! From a version that changes to the first answer of the new one by a Tomcat that goes on running, against a restart of
//! the same Deployment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, SPACE};
use crate::figure::Figure;
use crate::outcome::{Outcome, say};
use crate::place::sleep;
use crate::spread::Spread;

/// Rounds, where fewer are asked for.
const ENOUGH: usize = 20;

/// How long a change may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(180);

const VERSIONS: [&str; 2] = ["one", "two"];

/// Both WARs have 30 MB beside their page, which says their version.
const MAKE: &str = r#"
source "$1/wars.sh"
for version in one two; do
    mkdir -p "$2/$version/WEB-INF"
    head -c 30000000 /dev/urandom > "$2/$version/data"
    echo "version $version" > "$2/$version/index.html"
    echo '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0"/>' > "$2/$version/WEB-INF/web.xml"
    stored_zip "$2/$version" index.html data WEB-INF/web.xml > "$2/$version.war"
done
"#;

fn deployment(url: &str) -> String {
    format!(
        r#"apiVersion: v1
kind: Service
metadata: {{ name: upgraded }}
spec:
  selector: {{ app: upgraded }}
  ports: [{{ port: 8080 }}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: upgraded }}
spec:
  selector: {{ matchLabels: {{ app: upgraded }} }}
  template:
    metadata:
      labels: {{ app: upgraded }}
      annotations: {{ version: one }}
    spec:
      containers:
      - name: tomcat
        image: tomcat:9-jre17
        imagePullPolicy: IfNotPresent
        command: [sh, -c]
        args:
        - |
          sed -i -e 's/<Engine /&backgroundProcessorDelay="1" /' -e 's/<Host /&undeployOldVersions="true" /' conf/server.xml
          exec catalina.sh run
        readinessProbe: {{ httpGet: {{ path: /, port: 8080 }}, periodSeconds: 1 }}
        volumeMounts: [{{ name: webapps, mountPath: /usr/local/tomcat/webapps }}]
      volumes:
      - name: webapps
        csi:
          driver: war-vol.geektime.org
          volumeAttributes:
            downloadURL: "{url}/${{pod.annotations['version']}}.war"
            fileName: ROOT##${{swap}}.war
            pullPolicy: IfNotPresent
            settle: 0s
"#
    )
}

/// After that a client gives up (client.sh).
const GIVES_UP: Duration = Duration::from_secs(31);

/// What a change took in milliseconds, and how many requests were lost meanwhile.
#[derive(Clone, Copy, Debug)]
struct Took {
    time: f64,
    lost: u64,
}

pub(crate) fn run(rounds: usize) -> Outcome<Vec<Figure>> {
    let cluster = Cluster::up()?;
    cluster.script("install.sh", &[])?;
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("figures-wars");
    let url = serve(&cluster, &dir)?;
    fs::remove_dir_all(&dir)?;
    cluster.create(&deployment(&url))?;
    rolled_out(&cluster)?;
    let address = [
        "get",
        "service",
        "upgraded",
        "--output",
        "jsonpath={.spec.clusterIP}",
    ];
    let url = format!("http://{}:8080/", said(&cluster, &address)?);
    cluster.script("client.sh", &[SPACE, "upgraded", &url])?;
    // Once without measuring: both are cached.
    changed(&cluster, 1)?;
    let rounds = rounds.max(ENOUGH);
    // First without restarts: what one of them loses is known half a minute later, when a client gives up.
    let before = lost(&cluster)?;
    for n in 0..rounds {
        changed(&cluster, n % 2)?;
    }
    sleep(GIVES_UP);
    let alone = lost(&cluster)?.saturating_sub(before);
    let mut series = Vec::new();
    for n in 1..=rounds {
        let restart = counting(&cluster, || restarted(&cluster))?;
        let change = counting(&cluster, || changed(&cluster, 1))?;
        say(format_args!(
            "a new version, round {n} of {rounds}: {:.0} ms, {} lost; by a restart {:.0} ms, {} lost",
            change.time, change.lost, restart.time, restart.lost
        ));
        series.push((change, restart));
    }
    let lost: u64 = series
        .iter()
        .map(|(ours, restart)| ours.lost + restart.lost)
        .sum();
    say(format_args!(
        "lost in {rounds} changes alone: {alone}, in {rounds} restarts with a change after each: {lost}"
    ));
    cluster.remove()?;
    let ratio = series
        .iter()
        .map(|(ours, restart)| ours.time / restart.time);
    let what = "from the annotation to the new version's first answer, to kubectl rollout restart";
    Ok(vec![Figure::ratio(what, Spread::of(ratio)).at_most(0.2)])
}

/// Where the versions are served.
fn serve(cluster: &Cluster, dir: &Path) -> Outcome<String> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    fs::create_dir_all(dir)?;
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", MAKE, "bash"]);
    if !bash.arg(scripts).arg(dir).status()?.success() {
        return Err("the WARs cannot be made".into());
    }
    let mut url = String::new();
    for version in VERSIONS {
        let name = format!("{version}.war");
        url = cluster.serve(&name, &dir.join(&name))?;
    }
    Ok(url
        .rsplit_once('/')
        .map(|(at, _)| at.to_owned())
        .unwrap_or_default())
}

fn counting(cluster: &Cluster, change: impl FnOnce() -> Outcome<f64>) -> Outcome<Took> {
    let before = lost(cluster)?;
    let time = change()?;
    // What was asked just now is answered, or lost.
    sleep(Duration::from_secs(1));
    let lost = lost(cluster)?.saturating_sub(before);
    Ok(Took { time, lost })
}

fn changed(cluster: &Cluster, version: usize) -> Outcome<f64> {
    let pod = said(
        cluster,
        &[
            "get",
            "pod",
            "--selector",
            "app=upgraded",
            "--output",
            "name",
        ],
    )?;
    let pod = pod.trim().trim_start_matches("pod/").to_owned();
    let page = format!("/api/v1/namespaces/{SPACE}/pods/{pod}:8080/proxy/");
    let words = format!("version {}", VERSIONS[version]);
    let to = format!("version={}", VERSIONS[version]);
    let began = Instant::now();
    said(cluster, &["annotate", "pod", &pod, "--overwrite", &to])?;
    while !said(cluster, &["get", "--raw", &page]).is_ok_and(|page| page.contains(&words)) {
        if began.elapsed() > PATIENCE {
            return Err(format!("{pod} does not serve {words}").into());
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn restarted(cluster: &Cluster) -> Outcome<f64> {
    let began = Instant::now();
    said(cluster, &["rollout", "restart", "deployment/upgraded"])?;
    rolled_out(cluster)?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    // The next change is that of one pod.
    said(
        cluster,
        &[
            "wait",
            "pod",
            "--selector",
            "app=upgraded",
            "--for=condition=Ready",
        ],
    )?;
    let is_one = || {
        said(
            cluster,
            &[
                "get",
                "pod",
                "--selector",
                "app=upgraded",
                "--output",
                "name",
            ],
        )
    };
    while is_one()?.lines().count() != 1 {
        sleep(Duration::from_millis(200));
    }
    Ok(took)
}

fn rolled_out(cluster: &Cluster) -> Outcome {
    said(
        cluster,
        &["rollout", "status", "deployment/upgraded", "--timeout=180s"],
    )
    .map(drop)
}

fn lost(cluster: &Cluster) -> Outcome<u64> {
    let count = "cat /tmp/lost 2> /dev/null | wc -l";
    Ok(said(
        cluster,
        &["exec", "client-upgraded", "--", "sh", "-c", count],
    )?
    .trim()
    .parse()?)
}

/// What kubectl prints.
fn said(cluster: &Cluster, arguments: &[&str]) -> Outcome<String> {
    let mut kubectl = cluster.kubectl(arguments);
    let output = kubectl.stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("kubectl {arguments:?}: {words}").into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
