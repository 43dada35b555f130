//! Rounds in a place of their own, and runs that are made again where they say nothing.

use std::ffi::OsString;

use serde::de::DeserializeOwned;

use crate::cold::RUNS;
use crate::figure::Figure;
use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::Place;
use crate::worker::{Layout, answer};

/// One round of a worker that publishes what is cached, with 500 MB that come meanwhile or without.
pub(crate) fn round<T: DeserializeOwned>(
    (place, origin): (&Place, &Origin),
    worker: &str,
    layout: Layout,
    meanwhile: Option<&str>,
) -> Outcome<T> {
    // A download writes to the disk of this machine; without one there is nothing to write.
    let round = if meanwhile.is_some() {
        place.fresh()?
    } else {
        place.blank()?
    };
    let mut arguments: Vec<OsString> = vec![
        worker.into(),
        round.dir.clone().into(),
        layout.argument().into(),
        format!("{} {}", origin.small.sha256, origin.url(&origin.small)).into(),
    ];
    if let Some(object) = meanwhile {
        arguments.extend(["--meanwhile".into(), object.into()]);
    }
    let samples = answer(arguments)?;
    place.remove(&round.top)?;
    if meanwhile.is_some() {
        place.rest()?;
    }
    place.go_on()?;
    Ok(samples)
}

/// The figures of a run in which what they are compared with was as fast as itself.
pub(crate) fn settled(mut run: impl FnMut() -> Outcome<Vec<Figure>>) -> Outcome<Vec<Figure>> {
    for n in 1.. {
        let figures = run()?;
        if n == RUNS || figures.iter().all(Figure::says_something) {
            return Ok(figures);
        }
        say("the peer is not as fast as itself: this run says nothing, and is made again");
    }
    Err("no run".into())
}
