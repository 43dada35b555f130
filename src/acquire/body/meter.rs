//! How many bytes have come: for metrics, for those who wait, and for `--limit-rate`.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Body;
use super::budget::ByteBudget;
use crate::acquire::Progress;
use crate::metrics::Downloads;

/// Counts the chunks, shows how far the download is, and waits where it is faster than allowed.
pub(in crate::acquire) fn metered<'a>(
    body: Body<'a>,
    from: u64,
    (progress, budget, metrics): (&'a Progress, &'a ByteBudget, &'a Downloads),
) -> Body<'a> {
    let next = async move |(mut body, from, last): (Body<'a>, u64, usize)| {
        let end = from + last as u64;
        if last > 0 {
            progress.reached(end);
            budget.pace(last).await;
        }
        let Some(chunk) = body.try_next().await? else {
            return Ok(None);
        };
        let length = chunk.len();
        metrics.received(length as u64);
        Ok(Some((chunk, (body, end, length))))
    };
    stream::try_unfold((body, from, 0), next).boxed()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::tests::of;
    use super::*;

    #[tokio::test]
    async fn a_chunk_is_shown_once_it_is_dealt_with_and_the_next_one_waits() {
        let progress = Progress::new(&"https://example.com/a".parse().unwrap());
        let budget = ByteBudget::default().limited(100);
        let metrics = Downloads::default();
        let began = Instant::now();
        let mut body = metered(of([b"abc", b"de"]), 7, (&progress, &budget, &metrics));
        progress.begin(7, None);
        body.try_next().await.unwrap();
        assert_eq!(progress.snapshot().done, 7);
        body.try_next().await.unwrap();
        assert_eq!(progress.snapshot().done, 10);
        assert_eq!(body.try_next().await.unwrap(), None);
        assert_eq!(progress.snapshot().done, 12);
        assert!(began.elapsed() >= Duration::from_millis(50));
    }
}
