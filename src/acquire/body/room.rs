//! Room on the disk for what was not announced.

use futures_util::StreamExt;

use super::Body;
use crate::acquire::Error;

/// How often the room on the disk is looked at while the length is not known, in bytes.
pub(in crate::acquire) const STEP: u64 = 8 << 20;

/// Before each step beyond `from`, `make` is told how many bytes there are to be in all.
pub(in crate::acquire) fn with_room<'a>(
    body: Body<'a>,
    from: u64,
    make: impl Fn(u64) -> Result<(), Error> + Send + 'a,
) -> Body<'a> {
    let (mut end, mut looked) = (from, from);
    let checked = body.map(move |chunk| {
        let chunk = chunk?;
        end += chunk.len() as u64;
        if end - looked >= STEP {
            make(end.saturating_add(STEP))?;
            looked = end;
        }
        Ok(chunk)
    });
    checked.boxed()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;
    use crate::lock::Short;

    #[tokio::test]
    async fn room_is_made_before_each_step_and_its_error_ends_the_body() {
        let half = Bytes::from(vec![0; 4 << 20]);
        let body = || stream::repeat(half.clone()).take(5).map(Ok).boxed();
        let made = Short::new(Vec::new());
        let roomy = with_room(body(), 1, |all| {
            made.lock().push(all);
            Ok(())
        });
        assert_eq!(roomy.count().await, 5);
        assert_eq!(*made.lock(), [1 + 2 * STEP, 1 + 3 * STEP]);
        let full = with_room(body(), 0, |_| Err(Error::Stopped { url: String::new() }));
        let taken: Vec<Result<_, _>> = full.collect().await;
        assert!(taken[0].is_ok() && taken[1].is_err());
    }
}
