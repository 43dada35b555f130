//! The same while 500 MB come in: by the same process, as fast as this machine can.

use crate::cached::settled;
use crate::figure::Figure;
use crate::origin::Origin;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::worker::Layout;

pub(crate) fn run(place: &Place, origin: &Origin, rounds: usize) -> Outcome<Vec<Figure>> {
    let large = format!("{} {}", origin.large.sha256, origin.url(&origin.large));
    let mut all = Vec::new();
    for layout in Layout::ALL {
        all.extend(settled(place, origin, layout, rounds, Some(&large))?);
    }
    Ok(all)
}
