//! `make bench`: is it as fast, as small and as sparing as it is said to be?
//!
//! Every figure is a ratio to something that was measured beside it, in the same round: the machine is shared and
//! its disk is noisy, so that an absolute value says nothing an hour later. The order changes from round to round,
//! and the peer runs twice in each: where it is not as fast as itself, the run says nothing and is made again.
//!
//! What is measured is the static release binary, which is built with these figures, and its library. Needs root
//! (it mounts, in a namespace of its own), two cores, and nginx, curl, aria2c and strace (`make tools`).

mod against;
mod bare;
mod busy;
mod cached;
mod called;
mod changing;
mod cluster;
mod cold;
mod figure;
mod idle;
mod kubelet;
mod many;
mod measured;
mod origin;
mod outcome;
mod place;
mod preflight;
mod ready;
mod resume;
mod rounds;
mod spread;
mod storm;
mod synced;
mod upgraded;
mod warm;
mod worker;
mod workers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};

use self::figure::{Figure, table};
use self::origin::Origin;
use self::outcome::Outcome;
use self::place::Place;
use self::workers::Worker;

/// With fewer rounds a figure is not to be believed.
const ENOUGH: usize = 15;

/// Measures war-vol against its peers and its own parts; exits with 1 where a figure misses its limit.
#[derive(Parser, Debug)]
struct Arguments {
    /// Which figures; all of them without any
    #[arg(value_enum)]
    rows: Vec<Row>,

    /// How many rounds; fewer than 15 are a trial and no figure
    #[arg(long, default_value = "15", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Another build of the program: nothing but the two side by side
    #[arg(long)]
    against: Option<PathBuf>,

    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,

    #[command(subcommand)]
    worker: Option<Worker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    /// A pod with a cached WAR against an empty one, in the cluster of the tests
    Ready,
    /// From nothing to a pod with a WAR, in the cluster of the tests
    Installed,
    /// A new version in a running Tomcat against a restart, in the cluster of the tests
    Upgraded,
    /// 500 MB nobody has, the client free
    Cold,
    /// The same, the client pinned to one core
    Pinned,
    /// 40 downloads at once
    Many,
    /// A download goes on after a kill
    Resume,
    /// A cached artifact into 1,000 volumes
    Warm,
    /// The same while 500 MB are downloaded
    Busy,
    /// No fsync in a publish
    Synced,
    /// A cached artifact into 1,000 volumes, over gRPC
    Called,
    /// The same while 500 MB are downloaded
    CalledBusy,
    /// What a mounted volume shows changes
    Changing,
    /// 100 pods at once want one artifact
    Storm,
    /// A driver that has nothing to do
    Idle,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.worker {
        Some(worker) => worker.run().map(|()| true),
        None => figures(&arguments),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures what was asked for; whether all of it holds.
fn figures(arguments: &Arguments) -> Outcome<bool> {
    let began = Instant::now();
    preflight::tools()?;
    let rounds = usize::from(arguments.rounds);
    let mut all: Vec<Figure> = Vec::new();
    let mut here = Here(None);
    if let Some(other) = &arguments.against {
        all.extend(here.run(|p, o| against::run(p, o, other, rounds))?);
    }
    for row in Row::value_variants()
        .iter()
        .filter(|_| arguments.against.is_none())
    {
        if arguments.rows.is_empty() || arguments.rows.contains(row) {
            all.extend(match row {
                Row::Ready => ready::run(rounds)?,
                Row::Installed => ready::installed()?,
                Row::Upgraded => upgraded::run(rounds)?,
                Row::Cold => here.run(|p, o| cold::run(p, o, None, rounds))?,
                Row::Pinned => here.run(|p, o| cold::run(p, o, Some(cold::CLIENT_CORE), rounds))?,
                Row::Many => here.run(many::run)?,
                Row::Resume => here.run(resume::run)?,
                Row::Warm => here.run(|p, o| warm::run(p, o, rounds))?,
                Row::Busy => here.run(|p, o| busy::run(p, o, rounds))?,
                Row::Synced => here.run(synced::run)?,
                Row::Called => here.run(|p, o| called::run(p, o, rounds))?,
                Row::CalledBusy => here.run(|p, o| called::run_busy(p, o, rounds))?,
                Row::Changing => here.run(|p, o| changing::run(p, o, rounds))?,
                Row::Storm => here.run(storm::run)?,
                Row::Idle => here.run(idle::run)?,
            });
        }
    }
    drop(here);
    println!("\n{}", table(&all));
    let judged = all.iter().filter(|f| f.has_limit()).count();
    let missed = all.iter().filter(|f| f.fails()).count();
    println!(
        "{} of {judged} figures with a limit hold; {rounds} rounds{}, {} s",
        judged - missed,
        if rounds < ENOUGH { " (a trial)" } else { "" },
        began.elapsed().as_secs()
    );
    Ok(missed == 0)
}

/// This machine without a cluster: made when a figure first needs it, because whoever makes it has a mount namespace
/// of its own from then on.
struct Here(Option<(Origin, Place)>);

impl Here {
    fn run(
        &mut self,
        figure: impl FnOnce(&Place, &Origin) -> Outcome<Vec<Figure>>,
    ) -> Outcome<Vec<Figure>> {
        if self.0.is_none() {
            let place = Place::new()?;
            let origin = Origin::start(&place)?;
            preflight::run(&place, &origin)?;
            self.0 = Some((origin, place));
        }
        let (origin, place) = self.0.as_ref().ok_or("nowhere to measure")?;
        figure(place, origin)
    }
}
