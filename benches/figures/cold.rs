//! 500 MB that nobody here has: from nginx to a directory, verified and durable.
//!
//! Ours is `war-vol mount` into an empty store, by the engine that kubelet calls. The origin serves from memory; our
//! side starts without a byte, and what was written is deleted before the next one begins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::figure::{Figure, Unit, columns};
use crate::measured::{self, Used};
use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::Place;
use crate::preflight::WAR_VOL;
use crate::spread::{Spread, between};
use crate::worker::hashed;

/// Where the client is when it is pinned; nginx has core 0 to itself.
pub(crate) const CLIENT_CORE: usize = 1;

/// How often a run that says nothing is made again.
pub(crate) const RUNS: usize = 3;

/// Everything of one contender lies here, and goes with it.
pub(crate) const OUT: &str = "out";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Contender {
    Mount,
    Curl,
    Aria,
    Fetch,
    CurlAgain,
    Chain,
}

/// In the order of the first round: the two that are the same lie half a round apart.
const FREE: [Contender; 6] = [
    Contender::Mount,
    Contender::Curl,
    Contender::Aria,
    Contender::Fetch,
    Contender::CurlAgain,
    Contender::Chain,
];
const PINNED: [Contender; 4] = [
    Contender::Mount,
    Contender::Curl,
    Contender::Fetch,
    Contender::CurlAgain,
];

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Mount => "war-vol mount --checksum",
            Self::Curl => "curl && sync",
            Self::Aria => "aria2c --checksum",
            Self::Fetch => "war-vol fetch --checksum",
            Self::CurlAgain => "curl && sync, again",
            Self::Chain => "curl && sync && sha256sum",
        }
    }

    fn program(self, place: &Place, origin: &Origin) -> Vec<OsString> {
        let url = origin.url(&origin.large);
        let sha256 = &origin.large.sha256;
        let pin = format!("--checksum=sha256:{sha256}");
        let out = |name: &str| place.path(OUT).join(name).into_os_string();
        let shell = |line: &str| -> Vec<OsString> {
            let line = ["sh", "-c", line, "sh"].map(OsString::from);
            [line.to_vec(), vec![out("file"), url.clone().into()]].concat()
        };
        match self {
            Self::Mount => mount(Path::new(WAR_VOL), place, origin),
            Self::Fetch => vec![
                WAR_VOL.into(),
                "fetch".into(),
                url.clone().into(),
                pin.into(),
                "-o".into(),
                out("file"),
            ],
            Self::Curl | Self::CurlAgain => shell(r#"curl -fsSo "$1" "$2" && sync "$1""#),
            Self::Chain => shell(r#"curl -fsSo "$1" "$2" && sync "$1" && sha256sum "$1""#),
            Self::Aria => vec![
                "aria2c".into(),
                "--no-conf".into(),
                "--quiet".into(),
                // What it would otherwise write in advance, it would write twice.
                "--file-allocation=none".into(),
                format!("--checksum=sha-256={sha256}").into(),
                "--dir".into(),
                place.path(OUT).into(),
                "--out=file".into(),
                url.clone().into(),
            ],
        }
    }

    /// What must be there afterwards, whole.
    fn result(self) -> &'static str {
        match self {
            Self::Mount => "shown/large.bin",
            Self::Fetch | Self::Curl | Self::CurlAgain | Self::Chain | Self::Aria => "file",
        }
    }
}

/// A mount of what nobody has, into an empty store, by a build of the program.
pub(crate) fn mount(program: &Path, place: &Place, origin: &Origin) -> Vec<OsString> {
    let out = |name: &str| place.path(OUT).join(name).into_os_string();
    vec![
        program.into(),
        "mount".into(),
        origin.url(&origin.large).into(),
        out("shown"),
        format!("--checksum=sha256:{}", origin.large.sha256).into(),
        "--keep-free=0".into(),
        "--root".into(),
        out("root"),
    ]
}

/// What one round measured.
struct Round {
    used: BTreeMap<Contender, Used>,
    /// CPU seconds of SHA-256 over the same bytes, by the library that we use, and of nothing else.
    hash: f64,
}

impl Round {
    fn of(&self, contender: Contender) -> Used {
        self.used[&contender]
    }

    fn curl(&self, what: impl Fn(Used) -> f64) -> f64 {
        between(
            what(self.of(Contender::Curl)),
            what(self.of(Contender::CurlAgain)),
        )
    }
}

/// The client free, or pinned to a core.
pub(crate) fn run(
    place: &Place,
    origin: &Origin,
    core: Option<usize>,
    rounds: usize,
) -> Outcome<Vec<Figure>> {
    let client = core.map_or("client free".to_owned(), |c| format!("client on core {c}"));
    for run in 1.. {
        let series = (0..rounds)
            .map(|n| round(place, origin, core, n, rounds))
            .collect::<Outcome<Vec<Round>>>()?;
        println!(
            "\n500 MB from nginx, {client}: medians\n{}",
            medians(&series)
        );
        let figures = figures(&series, core, &client);
        if run == RUNS || figures.iter().all(Figure::says_something) {
            return Ok(figures);
        }
        say("curl is not as fast as itself: this run says nothing, and is made again");
    }
    Err("no run".into())
}

fn round(
    place: &Place,
    origin: &Origin,
    core: Option<usize>,
    n: usize,
    of: usize,
) -> Outcome<Round> {
    let mut order = if core.is_some() {
        PINNED.to_vec()
    } else {
        FREE.to_vec()
    };
    // Everybody is once in each place, and comes behind everybody else.
    let places = order.len();
    order.rotate_left(n % places);
    if n % 2 == 1 {
        order.reverse();
    }
    origin.warm(&origin.large)?;
    let mut used = BTreeMap::new();
    let mut words = Vec::new();
    for contender in order {
        fs::create_dir(place.path(OUT))?;
        let its = measured::run(core, &contender.program(place, origin))?;
        let result = place.path(OUT).join(contender.result());
        if fs::metadata(&result)?.len() != origin.large.size {
            return Err(format!("{}: {} is short", contender.name(), result.display()).into());
        }
        place.remove(OUT)?;
        place.rest()?;
        words.push(format!("{} {:.2} s", contender.name(), its.wall));
        used.insert(contender, its);
    }
    let hash = hashed(core, &origin.large.file)?;
    say(format_args!(
        "round {} of {of}: {}",
        n + 1,
        words.join(", ")
    ));
    Ok(Round { used, hash })
}

fn figures(series: &[Round], core: Option<usize>, client: &str) -> Vec<Figure> {
    let wall = |used: Used| used.wall;
    let against_curl =
        |ours: Contender| Spread::of(series.iter().map(|r| r.of(ours).wall / r.curl(wall)));
    let against = |peer: Contender| {
        Spread::of(
            series
                .iter()
                .map(|r| r.of(Contender::Mount).wall / r.of(peer).wall),
        )
    };
    let cpu = Spread::of(
        series
            .iter()
            .map(|r| r.of(Contender::Mount).cpu / (r.curl(|used| used.cpu) + r.hash)),
    );
    let peak = Spread::of(series.iter().map(|r| r.of(Contender::Mount).peak));
    let same = |what: fn(Used) -> f64| {
        Spread::of(
            series
                .iter()
                .map(|r| what(r.of(Contender::CurlAgain)) / what(r.of(Contender::Curl))),
        )
    };
    let seconds = |whose: Contender| Spread::of(series.iter().map(|r| r.of(whose).cpu)).median;
    let figure = |what: &str, whose: Contender, value: Spread| Figure {
        same: Some(same(|used| used.wall)),
        cpu: Some(seconds(whose)),
        memory: Some(Spread::of(series.iter().map(|r| r.of(whose).peak)).greatest),
        ..Figure::ratio(format!("500 MB, {client}: {what}"), value)
    };
    let mount = Contender::Mount;
    let curl = against_curl(mount);
    let fetch = Contender::Fetch;
    let mut all = vec![
        figure("mount to curl && sync", mount, curl).at_most(if core.is_some() {
            1.35
        } else {
            1.0
        }),
        figure("fetch to curl && sync", fetch, against_curl(fetch)),
        Figure {
            same: Some(same(|used| used.cpu)),
            ..figure("CPU, mount to curl && sync + bare SHA-256", mount, cpu).at_most(1.25)
        },
        Figure {
            unit: Unit::MiB,
            same: None,
            ..figure("peak memory of mount", mount, peak).at_most(64.0)
        },
    ];
    if core.is_none() {
        let chain = against(Contender::Chain);
        all.push(
            figure(
                "mount to aria2c --checksum",
                mount,
                against(Contender::Aria),
            )
            .at_most(0.5),
        );
        all.push(figure("mount to curl && sync && sha256sum", mount, chain).at_most(1.0 / 3.0));
    }
    all
}

/// What each used, for who wants to know it in seconds.
fn medians(series: &[Round]) -> String {
    let mut lines = vec![["", "wall", "CPU", "peak memory"].map(str::to_owned)];
    let contenders: Vec<Contender> = series
        .first()
        .map(|r| r.used.keys().copied().collect())
        .unwrap_or_default();
    for contender in contenders {
        let of = |what: fn(Used) -> f64| Spread::of(series.iter().map(|r| what(r.of(contender))));
        lines.push([
            format!("  {}", contender.name()),
            format!("{:.2} s", of(|u| u.wall).median),
            format!("{:.2} s", of(|u| u.cpu).median),
            format!("{:.1} MiB", of(|u| u.peak).greatest),
        ]);
    }
    let hash = Spread::of(series.iter().map(|r| r.hash)).median;
    lines.push([
        "  bare SHA-256".to_owned(),
        "–".to_owned(),
        format!("{hash:.2} s"),
        "–".to_owned(),
    ]);
    columns(&lines)
}
