//! What every [`Mounter`] promises, run against the model and against the kernel.

use std::any::Any;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{Error, Flags, MountId, Mounter, Overlay, Probe, Target};

mod places;
mod shows;
mod views;

pub(super) use self::places::*;
pub(super) use self::shows::*;
pub(super) use self::views::*;

/// A machine to mount on, and what a test does to it apart from the mounter.
pub(super) trait Fixture {
    fn mounter(&self) -> &dyn Mounter;
    /// The directory for targets; exists.
    fn base(&self) -> &Path;
    /// A real, empty directory for what is shown.
    fn disk(&self) -> &Path;
    fn directory(&self, path: &Path);
    fn file(&self, path: &Path);
    fn symlink(&self, path: &Path, to: &Path);
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    fn flags(&self, path: &Path) -> Flags;
    /// Keeps what is mounted at `path` busy until the value is dropped, or for good.
    fn hold(&self, path: &Path) -> Box<dyn Any>;
    /// Binds without any flag, as the first half of a view is made.
    fn foreign(&self, source: &Path, path: &Path);

    fn target(&self, path: &str) -> Target {
        Target::within(self.base(), &self.base().join(path)).unwrap()
    }

    /// A target whose directory is made.
    fn made(&self, path: &str) -> Target {
        let target = self.target(path);
        assert!(self.mounter().create_at(&target).unwrap());
        target
    }

    /// A real directory with a file `a.war` that holds `text`.
    fn content(&self, path: &str, text: &str) -> PathBuf {
        let path = self.disk().join(path);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("a.war"), text).unwrap();
        path
    }

    fn empty(&self, path: &str) -> PathBuf {
        let path = self.disk().join(path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn shown(&self, target: &Target) -> String {
        let bytes = self.read(&target.path().join("a.war")).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn errno_of_write(&self, target: &Target) -> Option<Errno> {
        self.write(&target.path().join("a.war"), b"written")
            .err()
            .and_then(|e| Errno::from_io_error(&e))
    }

    fn id(&self, target: &Target) -> MountId {
        let probe = self.mounter().probe_at(target).unwrap();
        let Probe::Mount(id) = probe else {
            panic!("{target}: {probe:?}");
        };
        id
    }
}

/// The calls by a target alone, whose parent is there or is what the call is about.
pub(super) trait AtTarget: Mounter {
    fn create_at(&self, target: &Target) -> Result<bool, Error> {
        self.create(&self.parent(target)?, target)
    }

    fn bind_at(&self, source: &Path, target: &Target) -> Result<MountId, Error> {
        self.bind(source, &self.parent(target)?, target)
    }

    fn overlay_at(&self, overlay: &Overlay<'_>, target: &Target) -> Result<MountId, Error> {
        self.overlay(overlay, &self.parent(target)?, target)
    }
}

impl<M: Mounter + ?Sized> AtTarget for M {}

/// A test per promise, for one kind of machine: `$run` makes it and hands it to the promise.
macro_rules! contract {
    ($run:path) => {
        $crate::mount::contract::contract!($run:
            a_target_is_made_once_and_removed
            a_missing_parent_is_named_and_nothing_to_clean_up
            a_directory_with_files_is_kept
            a_file_at_the_target_is_left_alone
            a_symlink_at_the_target_is_not_followed
            a_symlink_on_the_way_is_refused
            a_target_that_was_not_made_shows_nothing
            what_is_written_into_an_open_mount_is_shown_there_and_only_that_mount_is_opened
            a_bind_shows_its_source_and_takes_writes
            a_source_that_is_missing_is_no_final_error
            a_read_only_overlay_shows_all_layers_and_takes_no_writes
            a_writable_overlay_keeps_writes_to_itself
            an_upper_layer_serves_one_mount
            layers_that_are_no_overlay_are_our_error
            an_unmounted_target_is_not_unmounted_again
            stacked_mounts_go_one_at_a_time
            a_mount_keeps_its_id_and_no_other_gets_it
            a_mounted_target_is_not_removed
            a_busy_target_is_detached
            a_bind_is_told_by_the_directory_that_it_shows
            an_overlay_is_told_from_others_of_the_same_layers
            what_is_mounted_over_a_mount_is_another
            a_bind_of_what_was_removed_keeps_its_name
            the_table_lists_what_bears_a_volumes_name
            the_view_and_what_is_bound_from_it_are_read_only
            a_view_is_used_again
            a_half_made_view_is_made_anew
            a_view_of_something_else_is_made_anew
            a_view_goes_whole_and_leaves_its_binds
        );
    };
    ($run:path: $($promise:ident)*) => {
        $(#[test]
        fn $promise() {
            $run($crate::mount::contract::$promise);
        })*
    };
}
pub(super) use contract;

const READ_ONLY: Flags = Flags {
    read_only: true,
    nosuid: true,
    nodev: true,
};
