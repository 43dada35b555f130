use std::any::Any;
use std::fs;
use std::io;
use std::path::Path;

use super::*;
use crate::fault::Fault;
use crate::mount::contract::{AtTarget, Fixture, contract};

struct Modelled {
    memory: Memory,
    disk: tempfile::TempDir,
}

const BASE: &str = "/var/lib/kubelet";

impl Fixture for Modelled {
    fn mounter(&self) -> &dyn Mounter {
        &self.memory
    }
    fn base(&self) -> &Path {
        Path::new(BASE)
    }
    fn disk(&self) -> &Path {
        self.disk.path()
    }
    fn directory(&self, path: &Path) {
        self.memory.directory(path);
    }
    fn file(&self, path: &Path) {
        self.memory.file(path);
    }
    fn symlink(&self, path: &Path, _to: &Path) {
        self.memory.symlink(path);
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.memory.read(path)
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.memory.write(path, bytes)
    }
    fn flags(&self, path: &Path) -> Flags {
        self.memory.flags(path).unwrap()
    }
    fn hold(&self, path: &Path) -> Box<dyn Any> {
        self.memory.hold(path);
        Box::new(())
    }
    fn foreign(&self, source: &Path, path: &Path) {
        self.memory.foreign(source, path);
    }
}

fn modelled(promise: fn(&dyn Fixture)) {
    let memory = Memory::default();
    memory.directory(Path::new(BASE));
    promise(&Modelled {
        memory,
        disk: tempfile::tempdir().unwrap(),
    });
}

contract!(modelled);

fn target(memory: &Memory) -> Target {
    memory.directory(Path::new(BASE));
    let target = Target::within(Path::new(BASE), Path::new("/var/lib/kubelet/t")).unwrap();
    memory.create_at(&target).unwrap();
    target
}

#[test]
fn a_refusal_is_for_the_next_call_of_its_kind_only() {
    let (memory, disk) = (Memory::default(), tempfile::tempdir().unwrap());
    let target = target(&memory);
    memory.refuse(Act::Bind, Errno::NOSPC);
    memory.probe_at(&target).unwrap();
    let error = memory.bind_at(disk.path(), &target).unwrap_err();
    assert_eq!(error.fault(), Fault::NoSpace);
    assert_eq!(memory.made(), 0);
    memory.bind_at(disk.path(), &target).unwrap();
    assert_eq!(memory.made(), 1);
}

#[test]
fn a_dead_mount_is_stale_and_can_be_taken_away() {
    let memory = Memory::default();
    let target = target(&memory);
    memory.dead(&target.path());
    assert_eq!(memory.probe_at(&target).unwrap(), Probe::Stale);
    assert!(memory.unmount(&target).unwrap());
    memory.remove(&target).unwrap();
}

#[test]
fn after_a_reboot_the_directories_are_there_and_the_mounts_are_not() {
    let (memory, disk) = (Memory::default(), tempfile::tempdir().unwrap());
    let target = target(&memory);
    memory.bind_at(disk.path(), &target).unwrap();
    memory.reboot();
    let empty = Probe::Directory { empty: true };
    assert_eq!(memory.probe_at(&target).unwrap(), empty);
    memory.forget(&target.path());
    assert_eq!(memory.probe_at(&target).unwrap(), Probe::Missing);
    fs::metadata(disk.path()).unwrap();
}
