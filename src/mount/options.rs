//! The options of an overlay, in the form that mount(2) takes.
//!
//! They are always given in full: a kernel's own defaults differ between distributions, and with `index=on`
//! the link count that a volume shows goes stale when others unlink the same blob.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::error::LONGEST_OPTIONS;
use super::{Error, Overlay};

/// What makes writable overlays cheap, where the kernel has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// A change of mode, owner or times copies no data (since Linux 4.19, and not for a superblock of a user
    /// namespace). Without it one `chown -R` at a pod's start copies its whole volume.
    pub metacopy: bool,
    /// Nothing is ever synced to disk for the writable layer, which does not outlive its mount anyway
    /// (since Linux 5.10).
    pub volatile: bool,
    /// SELinux is on. There a container runtime labels the files of a volume for its pod, which a read-only mount refuses
    /// and which one pod's label on shared files would keep from the others. An overlay that has its label by a mount
    /// option is not labelled.
    pub selinux: bool,
}

/// Every file of the mount has this label, whatever its layers have: that of files that containers may use, without the
/// categories of one pod. In quotes, as mount(8) writes it, because a level may hold commas.
const LABEL: &[u8] = b"context=\"system_u:object_r:container_file_t:s0\",";

/// The option string of an overlay that is to be shown at `target`.
///
/// Errors: [`Error::TooLong`]; [`Error::Layers`] for fewer lower directories than an overlay needs.
pub(super) fn options(
    overlay: &Overlay<'_>,
    features: Features,
    target: &Path,
) -> Result<OsString, Error> {
    let fewest = if overlay.upper.is_some() { 1 } else { 2 };
    if overlay.lower.len() < fewest {
        return Err(Error::Layers {
            path: target.into(),
            why: "an overlay needs a lower directory, and two if it has no upper one",
        });
    }
    let mut text = b"index=off,xino=off,nfs_export=off,".to_vec();
    if features.selinux {
        text.extend(LABEL);
    }
    match overlay.upper {
        // A kernel takes metacopy=on only together with redirect_dir=on. That is wanted by itself: without
        // it the rename of a directory that a lower layer holds fails with EXDEV.
        Some(upper) => {
            text.extend(b"redirect_dir=on,metacopy=");
            text.extend(if features.metacopy {
                &b"on"[..]
            } else {
                b"off"
            });
            if features.volatile {
                text.extend(b",volatile");
            }
            text.extend(b",upperdir=");
            escape(upper.upper, &mut text);
            text.extend(b",workdir=");
            escape(upper.work, &mut text);
        }
        None => text.extend(b"redirect_dir=nofollow,metacopy=off"),
    }
    text.extend(b",lowerdir=");
    for (at, lower) in overlay.lower.iter().enumerate() {
        if at > 0 {
            text.push(b':');
        }
        escape(lower, &mut text);
    }
    if text.len() > LONGEST_OPTIONS {
        return Err(Error::TooLong {
            path: target.into(),
            bytes: text.len(),
        });
    }
    Ok(OsString::from_vec(text))
}

/// Writes a path so that overlayfs takes it for one path: it splits options at `,` and layers at `:`, and
/// a backslash in front of any byte makes that byte an ordinary one (fs/overlayfs/params.c).
fn escape(path: &Path, text: &mut Vec<u8>) {
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b',' | b':' | b'\\') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::mount::Upper;

    const ALL: Features = Features {
        metacopy: true,
        volatile: true,
        selinux: false,
    };

    fn of(
        lower: &[&str],
        upper: Option<(&str, &str)>,
        features: Features,
    ) -> Result<String, Error> {
        let lower: Vec<PathBuf> = lower.iter().map(PathBuf::from).collect();
        let overlay = Overlay {
            volume: "v",
            lower: &lower,
            upper: upper.map(|(upper, work)| Upper {
                upper: Path::new(upper),
                work: Path::new(work),
            }),
        };
        options(&overlay, features, Path::new("/t")).map(|o| o.into_string().unwrap())
    }

    #[test]
    fn options_are_given_in_full() {
        assert_eq!(
            of(&["/a", "/b"], None, ALL).unwrap(),
            "index=off,xino=off,nfs_export=off,redirect_dir=nofollow,metacopy=off,lowerdir=/a:/b"
        );
        assert_eq!(
            of(&["/c"], Some(("/u", "/w")), ALL).unwrap(),
            "index=off,xino=off,nfs_export=off,redirect_dir=on,metacopy=on,volatile,upperdir=/u,workdir=/w,lowerdir=/c"
        );
        assert_eq!(
            of(&["/c"], Some(("/u", "/w")), Features::default()).unwrap(),
            "index=off,xino=off,nfs_export=off,redirect_dir=on,metacopy=off,upperdir=/u,workdir=/w,lowerdir=/c"
        );
    }

    #[test]
    fn with_selinux_every_overlay_has_its_label_by_an_option() {
        let features = Features {
            selinux: true,
            ..ALL
        };
        assert_eq!(
            of(&["/a", "/b"], None, features).unwrap(),
            "index=off,xino=off,nfs_export=off,context=\"system_u:object_r:container_file_t:s0\",\
             redirect_dir=nofollow,metacopy=off,lowerdir=/a:/b"
        );
        assert_eq!(
            of(&["/c"], Some(("/u", "/w")), features).unwrap(),
            "index=off,xino=off,nfs_export=off,context=\"system_u:object_r:container_file_t:s0\",\
             redirect_dir=on,metacopy=on,volatile,upperdir=/u,workdir=/w,lowerdir=/c"
        );
    }

    #[test]
    fn a_path_with_separators_stays_one_path() {
        let text = of(&["/a,b:c\\d", "/e"], None, ALL).unwrap();
        assert!(text.ends_with("lowerdir=/a\\,b\\:c\\\\d:/e"), "{text}");
    }

    #[test]
    fn what_the_kernel_would_cut_off_is_refused() {
        let long = format!("/{}", "l".repeat(2000));
        let error = of(&[&long, &long], Some(("/u", "/w")), ALL).unwrap_err();
        assert!(matches!(error, Error::TooLong { bytes, .. } if bytes > 4095));
        assert!(error.to_string().contains("shorter path"), "{error}");
        let error = of(&["/a"], None, ALL).unwrap_err();
        assert!(matches!(error, Error::Layers { .. }));
    }
}
