//! The read-only mount that read-only binds are taken from.

use std::fs;

use rustix::io::Errno;

use super::{AtTarget, Fixture, READ_ONLY};

pub(in crate::mount) fn the_view_and_what_is_bound_from_it_are_read_only(m: &dyn Fixture) {
    let content = m.content("volumes/ab/c", "a");
    let view = m.disk().join("ro");
    assert!(m.mounter().view(&m.disk().join("volumes"), &view).unwrap());
    assert_eq!(m.flags(&view), READ_ONLY);
    let target = m.made("mount");
    m.mounter().bind_at(&view.join("ab/c"), &target).unwrap();
    assert_eq!(m.shown(&target), "a");
    assert_eq!(m.flags(&target.path()), READ_ONLY);
    assert_eq!(m.errno_of_write(&target), Some(Errno::ROFS));
    fs::write(content.join("a.war"), "still writable").unwrap();
    let table = m.mounter().table().unwrap();
    let ours: Vec<_> = table.iter().filter(|x| x.volume == "ab").collect();
    assert_eq!(ours.len(), 1);
    assert!(ours[0].id == Some(m.id(&target)));
}

pub(in crate::mount) fn a_view_is_used_again(m: &dyn Fixture) {
    let (source, view) = (m.empty("volumes"), m.disk().join("ro"));
    assert!(m.mounter().view(&source, &view).unwrap());
    assert!(!m.mounter().view(&source, &view).unwrap());
    assert_eq!(m.flags(&view), READ_ONLY);
}

pub(in crate::mount) fn a_half_made_view_is_made_anew(m: &dyn Fixture) {
    let (source, view) = (m.empty("volumes"), m.empty("ro"));
    m.foreign(&source, &view);
    assert!(!m.flags(&view).read_only);
    assert!(m.mounter().view(&source, &view).unwrap());
    assert_eq!(m.flags(&view), READ_ONLY);
    assert!(!m.mounter().view(&source, &view).unwrap());
}

pub(in crate::mount) fn a_view_of_something_else_is_made_anew(m: &dyn Fixture) {
    let (old, new, view) = (m.empty("old"), m.content("new", "new"), m.disk().join("ro"));
    assert!(m.mounter().view(&old, &view).unwrap());
    assert!(m.mounter().view(&new, &view).unwrap());
    assert_eq!(m.read(&view.join("a.war")).unwrap(), b"new");
}

pub(in crate::mount) fn a_view_goes_whole_and_leaves_its_binds(m: &dyn Fixture) {
    m.content("volumes/ab/c", "a");
    let (source, view, target) = (m.disk().join("volumes"), m.disk().join("ro"), m.made("t"));
    m.mounter().view(&source, &view).unwrap();
    m.mounter().bind_at(&view.join("ab/c"), &target).unwrap();
    m.mounter().unview(&view).unwrap();
    m.read(&view.join("ab/c/a.war")).unwrap_err();
    assert_eq!(m.shown(&target), "a");
    assert_eq!(m.flags(&target.path()), READ_ONLY);
    m.mounter().unview(&view).unwrap();
}
