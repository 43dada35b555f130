//! What stands at a target, and what may be done to it.

use std::path::Path;

use super::{AtTarget, Fixture};
use crate::fault::Fault;
use crate::mount::{Error, Overlay, Probe, Target};

pub(in crate::mount) fn a_target_is_made_once_and_removed(m: &dyn Fixture) {
    let (mounter, target) = (m.mounter(), m.target("pod/mount"));
    m.directory(&m.base().join("pod"));
    assert_eq!(mounter.probe_at(&target).unwrap(), Probe::Missing);
    assert!(mounter.create_at(&target).unwrap());
    let empty = Probe::Directory { empty: true };
    assert_eq!(mounter.probe_at(&target).unwrap(), empty);
    assert!(!mounter.create_at(&target).unwrap());
    mounter.remove(&target).unwrap();
    assert_eq!(mounter.probe_at(&target).unwrap(), Probe::Missing);
    mounter.remove(&target).unwrap();
}

pub(in crate::mount) fn a_missing_parent_is_named_and_nothing_to_clean_up(m: &dyn Fixture) {
    m.file(&m.base().join("file"));
    for path in ["no/such/mount", "file/mount"] {
        let target = m.target(path);
        let error = m.mounter().create_at(&target).unwrap_err();
        assert!(matches!(error, Error::NoParent(_)), "{error:?}");
        assert!(error.to_string().contains(path), "{error}");
        assert_eq!(m.mounter().probe_at(&target).unwrap(), Probe::Missing);
        m.mounter().remove(&target).unwrap();
        assert!(!m.mounter().unmount(&target).unwrap());
        m.mounter().bind_at(m.disk(), &target).unwrap_err();
    }
}

pub(in crate::mount) fn a_directory_with_files_is_kept(m: &dyn Fixture) {
    let target = m.made("mount");
    m.file(&target.path().join("somebody's"));
    let full = Probe::Directory { empty: false };
    assert_eq!(m.mounter().probe_at(&target).unwrap(), full);
    assert!(!m.mounter().create_at(&target).unwrap());
    let error = m.mounter().remove(&target).unwrap_err();
    assert_eq!(error.fault(), Fault::Occupied);
    assert!(error.to_string().contains("it contains files"), "{error}");
    assert_eq!(m.mounter().probe_at(&target).unwrap(), full);
}

pub(in crate::mount) fn a_file_at_the_target_is_left_alone(m: &dyn Fixture) {
    let target = m.target("mount");
    m.file(&target.path());
    nothing_can_be_shown(m, &target);
}

pub(in crate::mount) fn a_symlink_at_the_target_is_not_followed(m: &dyn Fixture) {
    let (aim, target) = (m.made("aim"), m.target("mount"));
    m.symlink(&target.path(), &aim.path());
    nothing_can_be_shown(m, &target);
    let empty = Probe::Directory { empty: true };
    assert_eq!(m.mounter().probe_at(&aim).unwrap(), empty);
    m.mounter().bind_at(m.disk(), &aim).unwrap();
    assert!(!m.mounter().unmount(&target).unwrap());
    m.id(&aim);
}

fn nothing_can_be_shown(m: &dyn Fixture, target: &Target) {
    let (mounter, a, b) = (m.mounter(), m.content("a", "a"), m.empty("b"));
    let overlay = Overlay {
        volume: "v",
        lower: &[a.clone(), b],
        upper: None,
    };
    for error in [
        mounter.create_at(target).unwrap_err(),
        mounter.bind_at(&a, target).unwrap_err(),
        mounter.overlay_at(&overlay, target).unwrap_err(),
        mounter.remove(target).unwrap_err(),
    ] {
        assert_eq!(error.fault(), Fault::Occupied, "{error}");
    }
    assert_eq!(mounter.probe_at(target).unwrap(), Probe::NotADirectory);
    assert!(!mounter.unmount(target).unwrap());
}

pub(in crate::mount) fn a_symlink_on_the_way_is_refused(m: &dyn Fixture) {
    m.directory(&m.base().join("real/sub"));
    m.symlink(&m.base().join("link"), &m.base().join("real"));
    m.symlink(&m.base().join("out"), Path::new("/"));
    for path in ["link/mount", "link/sub/mount", "out/tmp/mount"] {
        let (mounter, target) = (m.mounter(), m.target(path));
        for error in [
            mounter.create_at(&target).unwrap_err(),
            mounter.probe_at(&target).unwrap_err(),
            mounter.bind_at(m.disk(), &target).unwrap_err(),
            mounter.unmount(&target).unwrap_err(),
            mounter.remove(&target).unwrap_err(),
        ] {
            assert_eq!(error.fault(), Fault::Invalid, "{error}");
            assert!(error.to_string().contains("symlink"), "{error}");
        }
    }
}
