//! The same while 500 MB come in: by the same process, as fast as this machine can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::figure::Figure;
use crate::origin::Origin;
use crate::place::Place;
use crate::warm::settled;
use crate::worker::{Driver, Layout};
use crate::{Error, Outcome};

pub(crate) fn run(place: &Place, origin: &Origin, rounds: usize) -> Outcome<Vec<Figure>> {
    let large = format!("{} {}", origin.large.sha256, origin.url(&origin.large));
    let mut all = Vec::new();
    for layout in Layout::ALL {
        all.extend(settled(place, origin, layout, rounds, Some(&large))?);
    }
    Ok(all)
}

/// Keeps a download in the air, one after the other; ends only with an error.
pub(crate) async fn download(driver: Arc<Driver>, large: String, flying: Arc<AtomicBool>) -> Error {
    for n in 0.. {
        // Another URL each time: what is cached under one is not downloaded.
        let published = async {
            let want = driver.want(&format!("large-{n}"), Layout::Bind, &format!("{large}?{n}"))?;
            flying.store(true, Ordering::Relaxed);
            driver.publish(want.clone()).await?;
            flying.store(false, Ordering::Relaxed);
            driver.volumes.unpublish(&want.volume, &want.target).await?;
            Outcome::Ok(())
        };
        if let Err(error) = published.await {
            return error;
        }
    }
    "no more downloads".into()
}
