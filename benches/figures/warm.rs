//! A cached artifact into 1,000 volumes, against the bare parts of a publish.

use crate::cached::settled;
use crate::figure::Figure;
use crate::origin::Origin;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::worker::Layout;

pub(crate) fn run(place: &Place, origin: &Origin, rounds: usize) -> Outcome<Vec<Figure>> {
    let mut all = Vec::new();
    for layout in Layout::ALL {
        all.extend(settled(place, origin, layout, rounds, None)?);
    }
    Ok(all)
}
