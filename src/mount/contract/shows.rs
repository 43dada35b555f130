//! What is shown at a target, and how it goes.

use std::fs;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::{AtTarget, Fixture, READ_ONLY};
use crate::fault::Fault;
use crate::mount::{Error, Flags, Inode, Overlay, Probe, Upper};

pub(in crate::mount) fn a_target_that_was_not_made_shows_nothing(m: &dyn Fixture) {
    let target = m.target("mount");
    let error = m.mounter().bind_at(m.disk(), &target).unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error:?}");
    assert_eq!(m.mounter().probe_at(&target).unwrap(), Probe::Missing);
}

pub(in crate::mount) fn a_bind_shows_its_source_and_takes_writes(m: &dyn Fixture) {
    let (source, target) = (m.content("a", "old"), m.made("mount"));
    m.mounter().bind_at(&source, &target).unwrap();
    assert_eq!(m.shown(&target), "old");
    assert_eq!(m.errno_of_write(&target), None);
    assert_eq!(fs::read(source.join("a.war")).unwrap(), b"written");
    assert!(m.mounter().unmount(&target).unwrap());
    let empty = Probe::Directory { empty: true };
    assert_eq!(m.mounter().probe_at(&target).unwrap(), empty);
}

pub(in crate::mount) fn what_is_written_into_an_open_mount_is_shown_there_and_only_that_mount_is_opened(
    m: &dyn Fixture,
) {
    let writes = |root, text: &str| {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let file = openat(root, "a.war", flags, Mode::from_raw_mode(0o644)).unwrap();
        assert_eq!(rustix::io::write(file, text.as_bytes()), Ok(text.len()));
    };
    let (source, target) = (m.content("a", "old"), m.made("mount"));
    let below = m.mounter().bind_at(&source, &target).unwrap();
    writes(m.mounter().open(&target, below).unwrap(), "bound");
    assert_eq!(m.shown(&target), "bound");
    let overlay = Overlay {
        volume: "v",
        lower: &[m.content("c", "shared")],
        upper: Some(Upper {
            upper: &m.empty("u"),
            work: &m.empty("w"),
        }),
    };
    let above = m.mounter().overlay_at(&overlay, &target).unwrap();
    writes(m.mounter().open(&target, above).unwrap(), "layer");
    assert_eq!(m.shown(&target), "layer");
    // The one below is still there, and cannot be reached by its target.
    let error = m.mounter().open(&target, below).unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error:?}");
    assert!(m.mounter().unmount(&target).unwrap());
    let error = m.mounter().open(&target, above).unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error:?}");
    assert_eq!(m.shown(&target), "bound");
}

pub(in crate::mount) fn a_source_that_is_missing_is_no_final_error(m: &dyn Fixture) {
    let target = m.made("mount");
    let error = m
        .mounter()
        .bind_at(&m.disk().join("no"), &target)
        .unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable);
    assert!(error.to_string().contains("is missing"), "{error}");
    let overlay = Overlay {
        volume: "v",
        lower: &[m.disk().join("no"), m.empty("b")],
        upper: None,
    };
    let error = m.mounter().overlay_at(&overlay, &target).unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable);
    let empty = Probe::Directory { empty: true };
    assert_eq!(m.mounter().probe_at(&target).unwrap(), empty);
}

pub(in crate::mount) fn a_read_only_overlay_shows_all_layers_and_takes_no_writes(m: &dyn Fixture) {
    let (top, below) = (m.content("top", "top"), m.content("below", "below"));
    fs::write(below.join("b.war"), "b").unwrap();
    let target = m.made("mount");
    let overlay = Overlay {
        volume: "v",
        lower: &[top.clone(), below],
        upper: None,
    };
    let id = m.mounter().overlay_at(&overlay, &target).unwrap();
    assert_eq!(m.id(&target), id);
    assert_eq!(m.shown(&target), "top");
    assert_eq!(m.read(&target.path().join("b.war")).unwrap(), b"b");
    assert_eq!(m.errno_of_write(&target), Some(Errno::ROFS));
    assert_eq!(m.flags(&target.path()), READ_ONLY);
    assert_eq!(fs::read(top.join("a.war")).unwrap(), b"top");
}

pub(in crate::mount) fn a_writable_overlay_keeps_writes_to_itself(m: &dyn Fixture) {
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
    let id = m.mounter().overlay_at(&overlay, &target).unwrap();
    assert_eq!(m.shown(&target), "shared");
    assert_eq!(m.errno_of_write(&target), None);
    assert_eq!(m.id(&target), id);
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

pub(in crate::mount) fn an_upper_layer_serves_one_mount(m: &dyn Fixture) {
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
    m.mounter().overlay_at(&overlay, &target).unwrap();
    assert!(m.mounter().unmount(&target).unwrap());
    let error = m.mounter().overlay_at(&overlay, &target).unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable, "{error}");
    fs::remove_dir_all(&work).unwrap();
    fs::create_dir(&work).unwrap();
    m.mounter().overlay_at(&overlay, &target).unwrap();
}

pub(in crate::mount) fn layers_that_are_no_overlay_are_our_error(m: &dyn Fixture) {
    let target = m.made("mount");
    let overlay = Overlay {
        volume: "v",
        lower: &[m.content("c", "alone")],
        upper: None,
    };
    let error = m.mounter().overlay_at(&overlay, &target).unwrap_err();
    assert_eq!(error.fault(), Fault::Bug);
}

pub(in crate::mount) fn an_unmounted_target_is_not_unmounted_again(m: &dyn Fixture) {
    let target = m.made("mount");
    assert!(!m.mounter().unmount(&target).unwrap());
    m.mounter().bind_at(&m.content("a", "a"), &target).unwrap();
    assert!(m.mounter().unmount(&target).unwrap());
    assert!(!m.mounter().unmount(&target).unwrap());
    m.mounter().remove(&target).unwrap();
    assert!(!m.mounter().unmount(&target).unwrap());
}

pub(in crate::mount) fn stacked_mounts_go_one_at_a_time(m: &dyn Fixture) {
    let (mounter, target) = (m.mounter(), m.made("mount"));
    let below = mounter.bind_at(&m.content("a", "below"), &target).unwrap();
    let top = mounter.bind_at(&m.content("b", "top"), &target).unwrap();
    assert_eq!((m.shown(&target).as_str(), m.id(&target)), ("top", top));
    assert!(mounter.unmount(&target).unwrap());
    assert_eq!((m.shown(&target).as_str(), m.id(&target)), ("below", below));
    assert!(mounter.unmount(&target).unwrap());
    assert!(!mounter.unmount(&target).unwrap());
}

pub(in crate::mount) fn a_mount_keeps_its_id_and_no_other_gets_it(m: &dyn Fixture) {
    let (mounter, source) = (m.mounter(), m.content("a", "a"));
    let (one, two) = (m.made("one"), m.made("two"));
    let first = mounter.bind_at(&source, &one).unwrap();
    mounter.bind_at(&source, &two).unwrap();
    assert_eq!(m.id(&one), first);
    assert_ne!(m.id(&two), first);
    assert!(mounter.unmount(&one).unwrap());
    let again = mounter.bind_at(&source, &one).unwrap();
    assert_ne!(again, first);
    assert_eq!(m.id(&one), again);
}

pub(in crate::mount) fn a_mounted_target_is_not_removed(m: &dyn Fixture) {
    let target = m.made("mount");
    m.mounter().bind_at(&m.empty("a"), &target).unwrap();
    let error = m.mounter().remove(&target).unwrap_err();
    assert_eq!(error.fault(), Fault::Occupied);
    assert!(error.to_string().contains("mounted"), "{error}");
    assert!(!m.mounter().create_at(&target).unwrap());
    m.id(&target);
}

pub(in crate::mount) fn a_busy_target_is_detached(m: &dyn Fixture) {
    let target = m.made("mount");
    m.mounter().bind_at(&m.content("a", "a"), &target).unwrap();
    let held = m.hold(&target.path());
    assert!(m.mounter().unmount(&target).unwrap());
    let empty = Probe::Directory { empty: true };
    assert_eq!(m.mounter().probe_at(&target).unwrap(), empty);
    m.mounter().remove(&target).unwrap();
    drop(held);
}

pub(in crate::mount) fn a_bind_is_told_by_the_directory_that_it_shows(m: &dyn Fixture) {
    let (mounter, old) = (m.mounter(), m.content("old/ab/c", "a"));
    let [one, two, three, four] = ["one", "two", "three", "four"].map(|name| m.made(name));
    let (own, first) = (
        Inode::of(&old).unwrap(),
        mounter.bind_at(&old, &one).unwrap(),
    );
    let second = mounter.bind_at(&old, &two).unwrap();
    assert_eq!((first.root, second.root), (own, own));
    assert_ne!(first, second);
    // By another path it is the same directory, and another one by the same path is not.
    fs::rename(m.disk().join("old"), m.disk().join("new")).unwrap();
    let other = m.content("old/ab/c", "b");
    let moved = mounter.bind_at(&m.disk().join("new/ab/c"), &three).unwrap();
    let copied = mounter.bind_at(&other, &four).unwrap();
    assert_eq!((m.id(&one), moved.root), (first, own));
    assert_eq!(copied.root, Inode::of(&other).unwrap());
    assert_ne!(copied.root, own);
}

pub(in crate::mount) fn an_overlay_is_told_from_others_of_the_same_layers(m: &dyn Fixture) {
    let (lower, empty) = (m.content("c", "a"), m.empty("u"));
    let overlay = Overlay {
        volume: "v",
        lower: &[lower.clone(), empty],
        upper: None,
    };
    let [one, two] = ["one", "two"].map(|name| m.made(name));
    let first = m.mounter().overlay_at(&overlay, &one).unwrap();
    let second = m.mounter().overlay_at(&overlay, &two).unwrap();
    assert_ne!(first.root, second.root);
    assert_ne!(first.root, Inode::of(&lower).unwrap());
    assert_eq!(m.id(&one), first);
}

pub(in crate::mount) fn what_is_mounted_over_a_mount_is_another(m: &dyn Fixture) {
    let (mounter, target) = (m.mounter(), m.made("mount"));
    let (ours, others) = (m.content("ab/c", "ours"), m.content("xy/c", "others"));
    let below = mounter.bind_at(&ours, &target).unwrap();
    let listed = |volume| -> Vec<_> {
        let all = mounter.table().unwrap().into_iter();
        all.filter(|m| m.volume == volume).map(|m| m.id).collect()
    };
    for source in [&others, &ours] {
        m.foreign(source, &target.path());
        let top = m.id(&target);
        assert_ne!(top, below);
        assert_eq!(top.root, Inode::of(source).unwrap());
        assert!(listed("ab").contains(&None), "it is covered");
        assert!(mounter.unmount(&target).unwrap());
        assert_eq!(m.id(&target), below);
        assert_eq!(listed("ab"), [Some(below)]);
    }
}

pub(in crate::mount) fn a_bind_of_what_was_removed_keeps_its_name(m: &dyn Fixture) {
    let (mounter, target) = (m.mounter(), m.made("mount"));
    let id = mounter.bind_at(&m.content("ab/c", "a"), &target).unwrap();
    fs::remove_dir_all(m.disk().join("ab")).unwrap();
    assert_eq!(m.id(&target), id);
    let table = mounter.table().unwrap();
    assert!(table.iter().any(|m| m.volume == "ab" && m.id == Some(id)));
    assert!(mounter.unmount(&target).unwrap());
}

pub(in crate::mount) fn the_table_lists_what_bears_a_volumes_name(m: &dyn Fixture) {
    let mounter = m.mounter();
    let (ours, empty) = (m.content("v1/volumes/ab/c", "a"), m.empty("none"));
    let (bound, laid, other) = (m.made("a b\\c"), m.made("laid"), m.made("other"));
    let below = mounter.bind_at(&ours, &bound).unwrap();
    let overlay = Overlay {
        volume: "cd",
        lower: &[ours, empty.clone()],
        upper: None,
    };
    let top = mounter.overlay_at(&overlay, &laid).unwrap();
    mounter.bind_at(&empty, &other).unwrap();
    let names = |volume| -> Vec<_> {
        let all = mounter.table().unwrap().into_iter();
        all.filter(|mounted| mounted.volume == volume)
            .map(|mounted| (mounted.target, mounted.id, mounted.is_overlay))
            .collect()
    };
    assert_eq!(names("ab"), [(bound.path(), Some(below), false)]);
    assert_eq!(names("cd"), [(laid.path(), Some(top), true)]);
    assert_eq!(names("c"), []);
    mounter.bind_at(&empty, &laid).unwrap();
    assert_eq!(names("cd"), [(laid.path(), None, true)]);
    assert!(
        !mounter
            .table()
            .unwrap()
            .iter()
            .any(|mounted| mounted.target == other.path())
    );
}
