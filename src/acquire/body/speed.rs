//! Whether an origin is fast enough.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::Body;
use crate::acquire::RetryPolicy;
use crate::artifact::ArtifactUrl;
use crate::source::Error;

/// Ends with an error where the origin is too slow for too long. Only the time counts in which the next chunk is waited
/// for: what this node takes for the last one (its disk, its hash, its `--limit-rate`) is not the origin's fault.
pub(in crate::acquire) fn not_stalled<'a>(
    body: Body<'a>,
    url: &'a ArtifactUrl,
    retry_policy: &'a RetryPolicy,
) -> Body<'a> {
    let next = async move |(mut body, mut window): (Body<'a>, Window)| {
        loop {
            let since = Instant::now();
            let left = retry_policy.stall_time.saturating_sub(window.time);
            let chunk = match timeout(left, body.try_next()).await.map(Result::transpose) {
                Ok(None) => return Ok(None),
                Ok(Some(chunk)) => Some(chunk?),
                Err(_) => None,
            };
            let bytes = chunk.as_ref().map_or(0, Bytes::len) as u64;
            if !window.is_fast_enough(retry_policy, bytes, since.elapsed()) {
                let (least, time) = (retry_policy.stall_speed, retry_policy.stall_time);
                return Err(Error::stalled(url, least, time).into());
            }
            // A window ends between two chunks as a rule: what it brought decides, not that nothing comes at its end.
            if let Some(chunk) = chunk {
                return Ok(Some((chunk, (body, window))));
            }
        }
    };
    stream::try_unfold((body, Window::default()), next).boxed()
}

/// What one stretch of the stall time has brought so far.
#[derive(Default)]
struct Window {
    bytes: u64,
    time: Duration,
}

impl Window {
    /// False where the window ends with this, and was too slow.
    fn is_fast_enough(&mut self, retry_policy: &RetryPolicy, bytes: u64, time: Duration) -> bool {
        self.bytes += bytes;
        self.time += time;
        if self.time < retry_policy.stall_time {
            return true;
        }
        let ended = std::mem::take(self);
        let seconds = ended.time.as_secs().max(1);
        ended.bytes >= retry_policy.stall_speed.saturating_mul(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;
    use crate::acquire;

    fn retry_policy(stall_time: Duration) -> RetryPolicy {
        RetryPolicy {
            tries: 1,
            pause: Duration::ZERO,
            longest_pause: Duration::ZERO,
            stall_time,
            stall_speed: 100,
        }
    }

    #[test]
    fn a_window_that_is_too_slow_is_found_at_its_end_and_not_before() {
        let mut window = Window::default();
        let mut is_fast_enough = |bytes, seconds| {
            let retry_policy = retry_policy(Duration::from_secs(10));
            window.is_fast_enough(&retry_policy, bytes, Duration::from_secs(seconds))
        };
        assert!(is_fast_enough(1, 9), "the window is not over");
        assert!(!is_fast_enough(1, 1), "2 bytes in 10 s");
        assert!(is_fast_enough(900, 9) && is_fast_enough(100, 1));
        assert!(!is_fast_enough(1000, 11), "1,000 bytes in 11 s");
        assert!(is_fast_enough(0, 9), "each window is judged by itself");
    }

    #[tokio::test]
    async fn a_silent_origin_is_given_up_and_what_this_node_takes_is_not_held_against_it() {
        let url = "https://example.com/a".parse().unwrap();
        let retry_policy = retry_policy(Duration::from_millis(20));
        let mut body = not_stalled(of([b"abc", b"de"]), &url, &retry_policy);
        while body.try_next().await.unwrap().is_some() {
            tokio::time::sleep(retry_policy.stall_time * 2).await;
        }
        let silent = of([b"abc"]).chain(stream::pending()).boxed();
        let mut body = not_stalled(silent, &url, &retry_policy);
        assert!(body.try_next().await.unwrap().is_some());
        let stalled = body.try_next().await;
        assert!(matches!(
            stalled,
            Err(acquire::Error::Source(Error::Stalled { .. }))
        ));
    }
}
