//! Whether a mount is a volume's: told by what it shows, not by where that lies.

use super::Id;
use crate::mount::{self, Inode, MountId, Mounted, Mounter};
use crate::store::VolumeDir;

/// Whether a mount shows a volume. Where the volume's directory is there, a bind must be of that very directory.
/// Without one (removed by hand, or the store cannot be asked) its name counts, which is a hash of the volume's id and
/// target. The table is read for that and for overlays, which is slow and rare.
pub(super) fn is_ours(
    mounter: &impl Mounter,
    mount: MountId,
    id: &Id,
    dir: Option<&VolumeDir>,
) -> Result<bool, mount::Error> {
    if dir.is_some_and(|dir| is_bind_of(dir, mount)) {
        return Ok(true);
    }
    let named = |m: &Mounted| m.id == Some(mount) && m.volume == id.as_str();
    let mut table = mounter.table()?.into_iter();
    Ok(table.any(|m| named(&m) && (m.is_overlay || dir.is_none())))
}

/// Whether a mount that bears the name of the volume with this directory shows it.
pub(super) fn is_of(dir: &VolumeDir, named: &Mounted) -> bool {
    named.is_overlay || named.id.is_some_and(|id| is_bind_of(dir, id))
}

fn is_bind_of(dir: &VolumeDir, mount: MountId) -> bool {
    [dir.content(), dir.upper()]
        .iter()
        .any(|own| Inode::of(own).is_ok_and(|own| own == mount.root))
}
