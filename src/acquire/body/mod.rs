//! What the bytes of one answer pass between the source and the disk. Each step is a stream around the one before it:
//! [`speed`] → [`meter`] → [`limit`] → [`room`] → [`budget`], then they are written, and the hasher hears where.
//!
//! Every step pulls: whoever asks for the next chunk is done with the last one.

pub(super) mod budget;
pub(super) mod hash;
pub(super) mod limit;
pub(super) mod meter;
mod rate;
pub(super) mod room;
pub(super) mod speed;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;

use self::budget::BudgetShare;
use self::hash::Hasher;
use super::Error;
use crate::store::Partial;

/// The bytes of an object, in order.
pub(super) type Body<'a> = BoxStream<'a, Result<Bytes, Error>>;

/// Writes a body behind what is there.
pub(super) async fn write(
    mut body: BoxStream<'_, Result<(Bytes, BudgetShare), Error>>,
    partial: &mut Partial,
    hasher: &mut Hasher,
) -> Result<(), Error> {
    while let Some((bytes, share)) = body.try_next().await? {
        let offset = partial.length();
        partial.append(&bytes)?;
        hasher.written(offset, bytes, share, partial).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn of<const N: usize>(chunks: [&'static [u8]; N]) -> Body<'static> {
        let chunks = chunks.map(|chunk| Ok(Bytes::from_static(chunk)));
        Box::pin(futures_util::stream::iter(chunks))
    }
}
