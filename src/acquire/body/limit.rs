//! Not more bytes than allowed, and not fewer than promised.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Body;
use crate::acquire::Error;
use crate::artifact::ArtifactUrl;
use crate::policy::Limit;
use crate::source;

/// Ends with an error at the chunk that passes the limit of that moment, and at an end that is not at `total` where that
/// is known. The first byte is the object's byte `from`.
pub(in crate::acquire) fn limited<'a>(
    body: Body<'a>,
    url: &'a ArtifactUrl,
    (from, total): (u64, Option<u64>),
    limit: impl Fn() -> Result<Limit, Error> + Clone + Send + 'a,
) -> Body<'a> {
    let next = move |(mut body, end): (Body<'a>, u64)| {
        let limit = limit.clone();
        async move {
            let Some(chunk) = body.try_next().await? else {
                return match total.filter(|total| *total != end) {
                    Some(total) => Err(source::Error::short(url, end, total).into()),
                    None => Ok(None),
                };
            };
            let (end, limit) = (end + chunk.len() as u64, limit()?);
            if end > limit.bytes() {
                return Err(Error::endless(url, limit));
            }
            Ok(Some((chunk, (body, end))))
        }
    };
    stream::try_unfold((body, from), next).boxed()
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;
    use crate::acquire::progress::tests::limit;

    /// What a body of five bytes behind `from` is taken for.
    async fn taken(from: u64, total: Option<u64>, most: u64) -> Result<(), Error> {
        let url = "https://example.com/a".parse().unwrap();
        let five = of([b"abc", b"de"]);
        let body = limited(five, &url, (from, total), || Ok(limit(most)));
        body.try_for_each(async |_| Ok(())).await
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_promised_and_not_longer_than_allowed() {
        for (from, total, most) in [(0, None, 5), (0, Some(5), 5), (7, Some(12), 12)] {
            taken(from, total, most).await.unwrap();
        }
        for (from, total) in [(0, Some(6)), (0, Some(4)), (7, Some(13))] {
            let short = taken(from, total, 20).await;
            assert!(matches!(
                short,
                Err(Error::Source(source::Error::Short { .. }))
            ));
        }
        for (from, most) in [(0, 4), (7, 11)] {
            let long = taken(from, None, most).await;
            assert!(matches!(long, Err(Error::TooLarge { .. })));
        }
    }

    #[tokio::test]
    async fn the_limit_of_the_moment_counts() {
        let url = "https://example.com/a".parse().unwrap();
        let nobody = || Err(Error::Stopped { url: String::new() });
        let mut body = limited(of([b"abc"]), &url, (0, None), nobody);
        assert!(matches!(body.try_next().await, Err(Error::Stopped { .. })));
    }
}
