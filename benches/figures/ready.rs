//! What an artifact adds to the start of a pod, and how long it takes from nothing to a pod with one.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use crate::cluster::{Cluster, Watch};
use crate::figure::{Figure, Unit};
use crate::outcome::{Outcome, say};
use crate::rounds;
use crate::spread::{Spread, between};

/// With fewer rounds the noise of a kubelet, which looks every 0.1 s and every 0.3 s, is greater than the difference.
const ENOUGH: usize = 20;

/// How often the chart is installed.
const INSTALLED: usize = 3;

/// Of the WAR.
const SIZE: u64 = 30 << 20;

const IMAGE: &str = "war-vol-bench:1";

/// Whose pod it is: the same server in all, with an empty directory, with what an init container copied into it from
/// its image, and with a volume of ours.
#[derive(Clone, Copy, Debug)]
enum Who {
    Ours,
    Empty,
    EmptyAgain,
    Init,
}

const ALL: [Who; 4] = [Who::Ours, Who::Empty, Who::EmptyAgain, Who::Init];

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Empty => "empty",
            Self::EmptyAgain => "empty-again",
            Self::Init => "init",
        }
    }

    fn pod(self, url: &str) -> String {
        let volume = match self {
            Self::Ours => format!(
                "csi: {{ driver: war-vol.geektime.org, volumeAttributes: {{ downloadURL: \"{url}\", pullPolicy: IfNotPresent }} }}"
            ),
            Self::Empty | Self::EmptyAgain | Self::Init => "emptyDir: {}".to_owned(),
        };
        let init = match self {
            Self::Init => format!(
                "  initContainers:\n  - name: copy\n    image: {IMAGE}\n    command: [cp, /app.war, /webapps/]\n    \
                 volumeMounts: [{{ name: webapps, mountPath: /webapps }}]\n"
            ),
            Self::Ours | Self::Empty | Self::EmptyAgain => String::new(),
        };
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {} }}\nspec:\n  terminationGracePeriodSeconds: 0\n{init}  \
             containers:\n  - name: server\n    image: busybox:1\n    imagePullPolicy: IfNotPresent\n    \
             command: [httpd, -f, -p, \"8080\", -h, /webapps]\n    \
             volumeMounts: [{{ name: webapps, mountPath: /webapps }}]\n  \
             volumes:\n  - name: webapps\n    {volume}\n",
            self.name()
        )
    }
}

/// The WAR, and an image that has it inside, which go with this.
struct Artifact {
    dir: PathBuf,
    war: PathBuf,
}

impl Artifact {
    fn new() -> Outcome<Self> {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("figures-image");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)?;
        let war = dir.join("app.war");
        let mut random = std::io::Read::take(File::open("/dev/urandom")?, SIZE);
        std::io::copy(&mut random, &mut File::create(&war)?)?;
        fs::write(dir.join("Dockerfile"), "FROM busybox:1\nCOPY app.war /\n")?;
        Ok(Self { dir, war })
    }

    fn image(&self, cluster: &Cluster) -> Outcome {
        let mut docker = cluster.command("docker");
        let built = docker
            .args(["build", "--quiet", "--tag", IMAGE])
            .arg(&self.dir)
            .output()?;
        if !built.status.success() {
            let words = String::from_utf8_lossy(&built.stderr);
            return Err(format!("docker build: {words}").into());
        }
        cluster.script("cluster.sh", &["load", IMAGE])
    }
}

impl Drop for Artifact {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Created → Ready with a cached WAR, against the same pod with an empty directory.
pub(crate) fn run(rounds: usize) -> Outcome<Vec<Figure>> {
    let cluster = Cluster::up()?;
    cluster.script("install.sh", &[])?;
    let artifact = Artifact::new()?;
    artifact.image(&cluster)?;
    let url = cluster.serve("app.war", &artifact.war)?;
    let watch = cluster.watch()?;
    // Once without measuring: the WAR is cached, and kubelet knows the images.
    for who in ALL {
        ready_after(&cluster, &watch, who, &url)?;
    }
    let figures = rounds::settled(|| {
        let mut series = Vec::new();
        let rounds = rounds.max(ENOUGH);
        for n in 0..rounds {
            let mut took = [0.0; ALL.len()];
            for turn in 0..ALL.len() {
                let who = ALL[(n + turn) % ALL.len()];
                took[who as usize] = ready_after(&cluster, &watch, who, &url)?;
            }
            say(format_args!(
                "a pod is ready, round {} of {rounds}: {:.0} ms, empty {:.0} and {:.0} ms, init container {:.0} ms",
                n + 1,
                took[Who::Ours as usize],
                took[Who::Empty as usize],
                took[Who::EmptyAgain as usize],
                took[Who::Init as usize],
            ));
            series.push(took);
        }
        Ok(figures(&series))
    })?;
    cluster.remove()?;
    Ok(figures)
}

fn figures(series: &[[f64; ALL.len()]]) -> Vec<Figure> {
    let ratio = |what: &str, who: Who| {
        let value = series.iter().map(|took| {
            let empty = between(took[Who::Empty as usize], took[Who::EmptyAgain as usize]);
            took[who as usize] / empty
        });
        let same = series
            .iter()
            .map(|took| took[Who::EmptyAgain as usize] / took[Who::Empty as usize]);
        Figure {
            same: Some(Spread::of(same)),
            ..Figure::ratio(what, Spread::of(value))
        }
    };
    vec![
        ratio(
            "pod ready with a cached 30 MB WAR to an empty directory",
            Who::Ours,
        )
        .at_most(1.1),
        ratio("the same with an init container that copies it", Who::Init),
    ]
}

fn ready_after(cluster: &Cluster, watch: &Watch, who: Who, url: &str) -> Outcome<f64> {
    cluster.create(&who.pod(url))?;
    let took = watch.ready_after(who.name())?;
    cluster.delete_pod(who.name())?;
    Ok(took)
}

/// From `helm install` to the first pod that is ready with a WAR.
pub(crate) fn installed() -> Outcome<Vec<Figure>> {
    let cluster = Cluster::up()?;
    let artifact = Artifact::new()?;
    let url = cluster.serve("app.war", &artifact.war)?;
    let watch = cluster.watch()?;
    let mut took = Vec::new();
    for n in 1..=INSTALLED {
        cluster.script("uninstall.sh", &[])?;
        let began = Instant::now();
        cluster.script("install.sh", &[])?;
        cluster.create(&Who::Ours.pod(&url))?;
        watch.ready_after(Who::Ours.name())?;
        took.push(began.elapsed().as_secs_f64());
        say(format_args!(
            "from helm install to a pod with a WAR, {n} of {INSTALLED}: {:.1} s",
            began.elapsed().as_secs_f64()
        ));
        cluster.delete_pod(Who::Ours.name())?;
    }
    cluster.remove()?;
    let figure = Figure::ratio(
        "from helm install to the first pod with a WAR",
        Spread::of(took),
    );
    Ok(vec![
        Figure {
            unit: Unit::Seconds,
            ..figure
        }
        .at_most(60.0),
    ])
}
