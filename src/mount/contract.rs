//! What every [`Mounter`] promises, run against the model and against the kernel.

use std::any::Any;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{Error, Flags, MountId, Mounter, Overlay, Probe, Target, Upper};
use crate::fault::Fault;

/// A machine to mount on, and what a test does to it apart from the mounter.
pub(super) trait Machine {
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
        assert!(self.mounter().create(&target).unwrap());
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
            .and_then(|e| e.raw_os_error())
            .map(Errno::from_raw)
    }

    fn id(&self, target: &Target) -> MountId {
        let probe = self.mounter().probe(target).unwrap();
        let Probe::Mount(id) = probe else {
            panic!("{target}: {probe:?}");
        };
        id
    }
}

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
            the_table_lists_what_shows_volumes
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

pub(super) fn a_target_is_made_once_and_removed(m: &dyn Machine) {
    let (mounter, target) = (m.mounter(), m.target("pod/mount"));
    m.directory(&m.base().join("pod"));
    assert_eq!(mounter.probe(&target).unwrap(), Probe::Missing);
    assert!(mounter.create(&target).unwrap());
    let empty = Probe::Directory { empty: true };
    assert_eq!(mounter.probe(&target).unwrap(), empty);
    assert!(!mounter.create(&target).unwrap());
    mounter.remove(&target).unwrap();
    assert_eq!(mounter.probe(&target).unwrap(), Probe::Missing);
    mounter.remove(&target).unwrap();
}

pub(super) fn a_missing_parent_is_named_and_nothing_to_clean_up(m: &dyn Machine) {
    m.file(&m.base().join("file"));
    for path in ["no/such/mount", "file/mount"] {
        let target = m.target(path);
        let error = m.mounter().create(&target).unwrap_err();
        assert!(matches!(error, Error::NoParent { .. }), "{error:?}");
        assert!(error.to_string().contains(path), "{error}");
        assert_eq!(m.mounter().probe(&target).unwrap(), Probe::Missing);
        m.mounter().remove(&target).unwrap();
        assert!(!m.mounter().unmount(&target).unwrap());
        m.mounter().bind(m.disk(), &target).unwrap_err();
    }
}

pub(super) fn a_directory_with_files_is_kept(m: &dyn Machine) {
    let target = m.made("mount");
    m.file(&target.path().join("somebody's"));
    let full = Probe::Directory { empty: false };
    assert_eq!(m.mounter().probe(&target).unwrap(), full);
    assert!(!m.mounter().create(&target).unwrap());
    let error = m.mounter().remove(&target).unwrap_err();
    assert_eq!(error.fault(), Fault::Occupied);
    assert!(error.to_string().contains("holds files"), "{error}");
    assert_eq!(m.mounter().probe(&target).unwrap(), full);
}

pub(super) fn a_file_at_the_target_is_left_alone(m: &dyn Machine) {
    let target = m.target("mount");
    m.file(&target.path());
    nothing_can_be_shown(m, &target);
}

pub(super) fn a_symlink_at_the_target_is_not_followed(m: &dyn Machine) {
    let (aim, target) = (m.made("aim"), m.target("mount"));
    m.symlink(&target.path(), &aim.path());
    nothing_can_be_shown(m, &target);
    let empty = Probe::Directory { empty: true };
    assert_eq!(m.mounter().probe(&aim).unwrap(), empty);
    m.mounter().bind(m.disk(), &aim).unwrap();
    assert!(!m.mounter().unmount(&target).unwrap());
    m.id(&aim);
}

fn nothing_can_be_shown(m: &dyn Machine, target: &Target) {
    let (mounter, a, b) = (m.mounter(), m.content("a", "a"), m.empty("b"));
    let overlay = Overlay {
        volume: "v",
        lower: &[a.clone(), b],
        upper: None,
    };
    for error in [
        mounter.create(target).unwrap_err(),
        mounter.bind(&a, target).unwrap_err(),
        mounter.overlay(&overlay, target).unwrap_err(),
        mounter.remove(target).unwrap_err(),
    ] {
        assert_eq!(error.fault(), Fault::Occupied, "{error}");
    }
    assert_eq!(mounter.probe(target).unwrap(), Probe::NotADirectory);
    assert!(!mounter.unmount(target).unwrap());
}

pub(super) fn a_symlink_on_the_way_is_refused(m: &dyn Machine) {
    m.directory(&m.base().join("real/sub"));
    m.symlink(&m.base().join("link"), &m.base().join("real"));
    m.symlink(&m.base().join("out"), Path::new("/"));
    for path in ["link/mount", "link/sub/mount", "out/tmp/mount"] {
        let (mounter, target) = (m.mounter(), m.target(path));
        for error in [
            mounter.create(&target).unwrap_err(),
            mounter.probe(&target).unwrap_err(),
            mounter.bind(m.disk(), &target).unwrap_err(),
            mounter.unmount(&target).unwrap_err(),
            mounter.remove(&target).unwrap_err(),
        ] {
            assert_eq!(error.fault(), Fault::Invalid, "{error}");
            assert!(error.to_string().contains("symlink"), "{error}");
        }
    }
}

pub(super) fn a_target_that_was_not_made_shows_nothing(m: &dyn Machine) {
    let target = m.target("mount");
    let error = m.mounter().bind(m.disk(), &target).unwrap_err();
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
    assert_eq!(m.mounter().probe(&target).unwrap(), Probe::Missing);
}

pub(super) fn a_bind_shows_its_source_and_takes_writes(m: &dyn Machine) {
    let (source, target) = (m.content("a", "old"), m.made("mount"));
    m.mounter().bind(&source, &target).unwrap();
    assert_eq!(m.shown(&target), "old");
    assert_eq!(m.errno_of_write(&target), None);
    assert_eq!(fs::read(source.join("a.war")).unwrap(), b"written");
    assert!(m.mounter().unmount(&target).unwrap());
    let empty = Probe::Directory { empty: true };
    assert_eq!(m.mounter().probe(&target).unwrap(), empty);
}

pub(super) fn a_source_that_is_missing_is_no_final_error(m: &dyn Machine) {
    let target = m.made("mount");
    let error = m.mounter().bind(&m.disk().join("no"), &target).unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable);
    assert!(error.to_string().contains("is not there"), "{error}");
    let overlay = Overlay {
        volume: "v",
        lower: &[m.disk().join("no"), m.empty("b")],
        upper: None,
    };
    let error = m.mounter().overlay(&overlay, &target).unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable);
    let empty = Probe::Directory { empty: true };
    assert_eq!(m.mounter().probe(&target).unwrap(), empty);
}

pub(super) fn a_read_only_overlay_shows_all_layers_and_takes_no_writes(m: &dyn Machine) {
    let (top, below) = (m.content("top", "top"), m.content("below", "below"));
    fs::write(below.join("b.war"), "b").unwrap();
    let target = m.made("mount");
    let overlay = Overlay {
        volume: "v",
        lower: &[top.clone(), below],
        upper: None,
    };
    let id = m.mounter().overlay(&overlay, &target).unwrap();
    assert_eq!(m.id(&target), id);
    assert_eq!(m.shown(&target), "top");
    assert_eq!(m.read(&target.path().join("b.war")).unwrap(), b"b");
    assert_eq!(m.errno_of_write(&target), Some(Errno::EROFS));
    assert_eq!(m.flags(&target.path()), READ_ONLY);
    assert_eq!(fs::read(top.join("a.war")).unwrap(), b"top");
}

pub(super) fn a_writable_overlay_keeps_writes_to_itself(m: &dyn Machine) {
    let (lower, upper, work) = (m.content("c", "shared"), m.empty("u"), m.empty("w"));
    let target = m.made("mount");
    let overlay = Overlay {
        volume: "v",
        lower: std::slice::from_ref(&lower),
        upper: Some(Upper {
            upper: &upper,
            work: &work,
        }),
    };
    m.mounter().overlay(&overlay, &target).unwrap();
    assert_eq!(m.shown(&target), "shared");
    assert_eq!(m.errno_of_write(&target), None);
    m.write(&target.path().join("new"), b"new").unwrap();
    assert_eq!(m.shown(&target), "written");
    assert_eq!(fs::read(lower.join("a.war")).unwrap(), b"shared");
    assert_eq!(fs::read(upper.join("a.war")).unwrap(), b"written");
    assert!(upper.join("new").exists() && !lower.join("new").exists());
    let flags = Flags {
        read_only: false,
        ..READ_ONLY
    };
    assert_eq!(m.flags(&target.path()), flags);
}

pub(super) fn an_upper_layer_serves_one_mount(m: &dyn Machine) {
    let (lower, upper, work) = (m.content("c", "shared"), m.empty("u"), m.empty("w"));
    let target = m.made("mount");
    let overlay = Overlay {
        volume: "v",
        lower: &[lower],
        upper: Some(Upper {
            upper: &upper,
            work: &work,
        }),
    };
    m.mounter().overlay(&overlay, &target).unwrap();
    assert!(m.mounter().unmount(&target).unwrap());
    let error = m.mounter().overlay(&overlay, &target).unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable, "{error}");
    fs::remove_dir_all(&work).unwrap();
    fs::create_dir(&work).unwrap();
    m.mounter().overlay(&overlay, &target).unwrap();
}

pub(super) fn layers_that_are_no_overlay_are_our_error(m: &dyn Machine) {
    let target = m.made("mount");
    let overlay = Overlay {
        volume: "v",
        lower: &[m.content("c", "alone")],
        upper: None,
    };
    let error = m.mounter().overlay(&overlay, &target).unwrap_err();
    assert_eq!(error.fault(), Fault::Bug);
}

pub(super) fn an_unmounted_target_is_not_unmounted_again(m: &dyn Machine) {
    let target = m.made("mount");
    assert!(!m.mounter().unmount(&target).unwrap());
    m.mounter().bind(&m.content("a", "a"), &target).unwrap();
    assert!(m.mounter().unmount(&target).unwrap());
    assert!(!m.mounter().unmount(&target).unwrap());
    m.mounter().remove(&target).unwrap();
    assert!(!m.mounter().unmount(&target).unwrap());
}

pub(super) fn stacked_mounts_go_one_at_a_time(m: &dyn Machine) {
    let (mounter, target) = (m.mounter(), m.made("mount"));
    let below = mounter.bind(&m.content("a", "below"), &target).unwrap();
    let top = mounter.bind(&m.content("b", "top"), &target).unwrap();
    assert_eq!((m.shown(&target).as_str(), m.id(&target)), ("top", top));
    assert!(mounter.unmount(&target).unwrap());
    assert_eq!((m.shown(&target).as_str(), m.id(&target)), ("below", below));
    assert!(mounter.unmount(&target).unwrap());
    assert!(!mounter.unmount(&target).unwrap());
}

pub(super) fn a_mount_keeps_its_id_and_no_other_gets_it(m: &dyn Machine) {
    let (mounter, source) = (m.mounter(), m.content("a", "a"));
    let (one, two) = (m.made("one"), m.made("two"));
    let first = mounter.bind(&source, &one).unwrap();
    mounter.bind(&source, &two).unwrap();
    assert_eq!(m.id(&one), first);
    assert_ne!(m.id(&two), first);
    assert!(mounter.unmount(&one).unwrap());
    let again = mounter.bind(&source, &one).unwrap();
    assert_ne!(again, first);
    assert_eq!(m.id(&one), again);
}

pub(super) fn a_mounted_target_is_not_removed(m: &dyn Machine) {
    let target = m.made("mount");
    m.mounter().bind(&m.empty("a"), &target).unwrap();
    let error = m.mounter().remove(&target).unwrap_err();
    assert_eq!(error.fault(), Fault::Occupied);
    assert!(error.to_string().contains("mounted"), "{error}");
    assert!(!m.mounter().create(&target).unwrap());
    m.id(&target);
}

pub(super) fn a_busy_target_is_detached(m: &dyn Machine) {
    let target = m.made("mount");
    m.mounter().bind(&m.content("a", "a"), &target).unwrap();
    let held = m.hold(&target.path());
    assert!(m.mounter().unmount(&target).unwrap());
    let empty = Probe::Directory { empty: true };
    assert_eq!(m.mounter().probe(&target).unwrap(), empty);
    m.mounter().remove(&target).unwrap();
    drop(held);
}

pub(super) fn the_table_lists_what_shows_volumes(m: &dyn Machine) {
    let mounter = m.mounter();
    let (ours, empty) = (m.content("v1/volumes/ab/c", "a"), m.empty("none"));
    let (bound, laid, other) = (m.made("a b\\c"), m.made("laid"), m.made("other"));
    let below = mounter.bind(&ours, &bound).unwrap();
    let overlay = Overlay {
        volume: "cd",
        lower: &[ours, empty.clone()],
        upper: None,
    };
    let top = mounter.overlay(&overlay, &laid).unwrap();
    mounter.bind(&empty, &other).unwrap();
    let shows = |volume| -> Vec<_> {
        let all = mounter.table().unwrap().into_iter();
        all.filter(|mounted| mounted.shows(volume))
            .map(|mounted| (mounted.target, mounted.id, mounted.read_only))
            .collect()
    };
    assert_eq!(shows("ab"), [(bound.path(), Some(below), false)]);
    assert_eq!(shows("cd"), [(laid.path(), Some(top), true)]);
    assert_eq!(shows("c"), []);
    mounter.bind(&empty, &laid).unwrap();
    assert_eq!(shows("cd"), [(laid.path(), None, true)]);
    assert!(
        !mounter
            .table()
            .unwrap()
            .iter()
            .any(|mounted| mounted.target == other.path())
    );
}

const READ_ONLY: Flags = Flags {
    read_only: true,
    nosuid: true,
    nodev: true,
};

pub(super) fn the_view_and_what_is_bound_from_it_are_read_only(m: &dyn Machine) {
    let content = m.content("volumes/ab/c", "a");
    let view = m.disk().join("ro");
    assert!(m.mounter().view(&m.disk().join("volumes"), &view).unwrap());
    assert_eq!(m.flags(&view), READ_ONLY);
    let target = m.made("mount");
    m.mounter().bind(&view.join("ab/c"), &target).unwrap();
    assert_eq!(m.shown(&target), "a");
    assert_eq!(m.flags(&target.path()), READ_ONLY);
    assert_eq!(m.errno_of_write(&target), Some(Errno::EROFS));
    fs::write(content.join("a.war"), "still writable").unwrap();
    let table = m.mounter().table().unwrap();
    let ours: Vec<_> = table.iter().filter(|x| x.shows("ab")).collect();
    assert_eq!(ours.len(), 1);
    assert!(ours[0].read_only && ours[0].target == target.path());
}

pub(super) fn a_view_is_used_again(m: &dyn Machine) {
    let (source, view) = (m.empty("volumes"), m.disk().join("ro"));
    assert!(m.mounter().view(&source, &view).unwrap());
    assert!(!m.mounter().view(&source, &view).unwrap());
    assert_eq!(m.flags(&view), READ_ONLY);
}

pub(super) fn a_half_made_view_is_made_anew(m: &dyn Machine) {
    let (source, view) = (m.empty("volumes"), m.empty("ro"));
    m.foreign(&source, &view);
    assert!(!m.flags(&view).read_only);
    assert!(m.mounter().view(&source, &view).unwrap());
    assert_eq!(m.flags(&view), READ_ONLY);
    assert!(!m.mounter().view(&source, &view).unwrap());
}

pub(super) fn a_view_of_something_else_is_made_anew(m: &dyn Machine) {
    let (old, new, view) = (m.empty("old"), m.content("new", "new"), m.disk().join("ro"));
    assert!(m.mounter().view(&old, &view).unwrap());
    assert!(m.mounter().view(&new, &view).unwrap());
    assert_eq!(m.read(&view.join("a.war")).unwrap(), b"new");
}

pub(super) fn a_view_goes_whole_and_leaves_its_binds(m: &dyn Machine) {
    m.content("volumes/ab/c", "a");
    let (source, view, target) = (m.disk().join("volumes"), m.disk().join("ro"), m.made("t"));
    m.mounter().view(&source, &view).unwrap();
    m.mounter().bind(&view.join("ab/c"), &target).unwrap();
    m.mounter().unview(&view).unwrap();
    m.read(&view.join("ab/c/a.war")).unwrap_err();
    assert_eq!(m.shown(&target), "a");
    assert_eq!(m.flags(&target.path()), READ_ONLY);
    m.mounter().unview(&view).unwrap();
}
