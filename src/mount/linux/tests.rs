use std::any::Any;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::geteuid;
use rustix::thread::CapabilitySet;

use super::*;
use crate::mount::contract::{AtTarget, Fixture, contract};
use crate::mount::{Flags, Upper};

/// A place to mount in, in a mount namespace of the test's own thread.
struct Private {
    linux: Linux,
    root: PathBuf,
    base: PathBuf,
    disk: PathBuf,
    _directory: tempfile::TempDir,
}

impl Drop for Private {
    fn drop(&mut self) {
        unmount(&self.root, UnmountFlags::DETACH).ok();
    }
}

/// Runs a test in a mount namespace that goes with its thread.
fn private<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    assert!(
        geteuid().is_root(),
        "the tests of mount::linux mount for real: run them as root (CAP_SYS_ADMIN)"
    );
    let run = || {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let flags = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        mount_change("/", flags).unwrap();
        test()
    };
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// A place on a tmpfs (which every machine has) or on the disk of the temporary directory.
fn place(name: &str, on_disk: bool) -> Private {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join(name);
    fs::create_dir(&root).unwrap();
    if on_disk {
        // A mount of its own, so that one umount takes all that is mounted in it.
        mount_bind(&root, &root).unwrap();
    } else {
        mount("t", &root, "tmpfs", MountFlags::empty(), None).unwrap();
    }
    let (base, disk) = (root.join("kubelet"), root.join("store"));
    fs::create_dir(&base).unwrap();
    fs::create_dir(&disk).unwrap();
    Private {
        linux: Linux::new(&disk).expect("set TMPDIR to a directory on a real file system"),
        root,
        base,
        disk,
        _directory: directory,
    }
}

impl Fixture for Private {
    fn mounter(&self) -> &dyn Mounter {
        &self.linux
    }
    fn base(&self) -> &Path {
        &self.base
    }
    fn disk(&self) -> &Path {
        &self.disk
    }
    fn directory(&self, path: &Path) {
        fs::create_dir_all(path).unwrap();
    }
    fn file(&self, path: &Path) {
        fs::write(path, "").unwrap();
    }
    fn symlink(&self, path: &Path, to: &Path) {
        symlink(to, path).unwrap();
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)
    }
    fn flags(&self, path: &Path) -> Flags {
        let flags = statvfs(path).unwrap().f_flag;
        Flags {
            read_only: flags.contains(StatVfsMountFlags::RDONLY),
            nosuid: flags.contains(StatVfsMountFlags::NOSUID),
            nodev: flags.contains(StatVfsMountFlags::NODEV),
        }
    }
    fn hold(&self, path: &Path) -> Box<dyn Any> {
        Box::new(File::open(path.join("a.war")).unwrap())
    }
    fn foreign(&self, source: &Path, path: &Path) {
        mount_bind(source, path).unwrap();
    }
}

fn real(promise: fn(&dyn Fixture)) {
    private(|| promise(&place("t", false)));
}

contract!(real);

/// A writable overlay over `c` of the store, with a layer of its own.
fn writable(m: &Private, name: &str) -> Result<Target, Error> {
    let (upper, work) = (m.empty(&format!("{name}/u")), m.empty(&format!("{name}/w")));
    let target = m.target(name);
    m.linux.create_at(&target)?;
    let overlay = Overlay {
        volume: name,
        lower: &[m.disk.join("c")],
        upper: Some(Upper {
            upper: &upper,
            work: &work,
        }),
    };
    m.linux.overlay_at(&overlay, &target)?;
    Ok(target)
}

#[test]
fn a_change_of_mode_copies_no_data() {
    private(|| {
        let m = place("t", true);
        assert_eq!(
            m.linux.features(),
            Features {
                selinux: false,
                metacopy: true,
                volatile: true
            }
        );
        fs::create_dir(m.disk.join("c")).unwrap();
        let blob = m.disk.join("c/a.war");
        fs::write(&blob, vec![7; 50 << 20]).unwrap();
        fs::set_permissions(&blob, Permissions::from_mode(0o444)).unwrap();
        let shown = writable(&m, "v").unwrap().path().join("a.war");
        fs::set_permissions(&shown, Permissions::from_mode(0o640)).unwrap();
        let upper = fs::metadata(m.disk.join("v/u/a.war")).unwrap();
        assert_eq!(upper.len(), 50 << 20);
        assert!(upper.blocks() * 512 < 64 << 10, "{} blocks", upper.blocks());
        assert_eq!(fs::metadata(&blob).unwrap().mode() & 0o777, 0o444);
        assert_eq!(fs::read(&shown).unwrap().len(), 50 << 20);
    });
}

#[test]
fn a_directory_that_a_lower_layer_holds_can_be_renamed() {
    private(|| {
        let m = place("t", false);
        m.content("c/app", "a");
        let shown = writable(&m, "v").unwrap().path();
        fs::rename(shown.join("app"), shown.join("renamed")).unwrap();
        assert_eq!(fs::read(shown.join("renamed/a.war")).unwrap(), b"a");
        assert!(m.disk.join("c/app").exists());
    });
}

#[test]
fn a_link_count_is_that_of_now() {
    private(|| {
        let m = place("t", true);
        let blob = m.content("c", "a").join("a.war");
        let (one, two) = (m.disk.join("one"), m.disk.join("two"));
        fs::hard_link(&blob, &one).unwrap();
        fs::hard_link(&blob, &two).unwrap();
        let shown = writable(&m, "v").unwrap().path().join("a.war");
        let links = || fs::metadata(&shown).unwrap().nlink();
        assert_eq!(links(), 3);
        fs::remove_file(one).unwrap();
        assert_eq!(links(), 2);
        fs::set_permissions(&shown, Permissions::from_mode(0o640)).unwrap();
        fs::remove_file(two).unwrap();
        assert_eq!(links(), 1);
    });
}

#[test]
fn a_store_with_odd_characters_in_its_path_works() {
    private(|| {
        for name in [
            "a,b",
            "a:b",
            "a\\b",
            "a\\,b::\\",
            "a b\tc\nd",
            "lowerdir=x,ro",
            "\u{fc}#%",
        ] {
            let m = place(name, false);
            m.content("c", "shared");
            let target = writable(&m, "v,:\\ v").unwrap();
            assert_eq!(m.shown(&target), "shared", "{name:?}");
            m.write(&target.path().join("new"), b"").unwrap();
            assert!(m.disk.join("v,:\\ v/u/new").exists(), "{name:?}");
            let table = m.linux.table().unwrap();
            assert!(
                table
                    .iter()
                    .any(|x| x.volume == "v,:\\ v" && x.target == target.path())
            );
            m.empty("volumes");
            m.linux
                .view(&m.disk.join("volumes"), &m.disk.join("ro"))
                .unwrap();
        }
    });
}

#[test]
fn a_store_on_an_overlay_is_told_to_move() {
    private(|| {
        let m = place("t", false);
        m.content("c", "a");
        let target = writable(&m, "v").unwrap();
        let error = Linux::new(&target.path()).unwrap_err();
        assert!(matches!(error, Error::OnOverlay(_)), "{error}");
        assert!(
            error.to_string().contains("put it on a real one"),
            "{error}"
        );
    });
}

#[test]
fn without_the_right_to_mount_root_is_asked_for() {
    private(|| {
        let m = place("t", false);
        let all = rustix::thread::capabilities(None).unwrap();
        let mut fewer = all;
        fewer.effective.remove(CapabilitySet::SYS_ADMIN);
        rustix::thread::set_capabilities(None, fewer).unwrap();
        let error = Linux::new(&m.disk).unwrap_err();
        rustix::thread::set_capabilities(None, all).unwrap();
        assert!(matches!(error, Error::Privilege { .. }), "{error}");
        assert!(
            error.to_string().contains("needs root (CAP_SYS_ADMIN)"),
            "{error}"
        );
        assert_eq!(error.fault(), crate::fault::Fault::Denied);
    });
}

#[test]
fn the_self_test_leaves_nothing_and_cleans_up_after_a_killed_one() {
    private(|| {
        let m = place("t", false);
        assert_eq!(fs::read_dir(&m.disk).unwrap().count(), 0);
        let left = m.content(".mount-test/shown", "left");
        m.foreign(&m.content(".mount-test/lower", "left"), &left);
        Linux::new(&m.disk).unwrap();
        assert_eq!(fs::read_dir(&m.disk).unwrap().count(), 0);
    });
}

#[test]
fn a_kill_while_the_view_is_made_leaves_no_writable_one() {
    private(|| {
        let m = place("t", false);
        let (source, making) = (m.empty("volumes"), m.empty("ro.making"));
        m.foreign(&source, &making);
        assert!(m.linux.view(&source, &m.disk.join("ro")).unwrap());
        assert!(!making.exists());
        m.empty("ro.making");
        m.foreign(&source, &making);
        assert!(!m.linux.view(&source, &m.disk.join("ro")).unwrap());
        assert!(!making.exists());
    });
}

#[test]
fn a_view_below_a_shared_mount_is_private_and_its_copy_elsewhere_is_never_writable() {
    private(|| {
        let m = place("t", false);
        mount_change(&m.root, MountPropagationFlags::SHARED).unwrap();
        let peer = tempfile::tempdir().unwrap();
        m.foreign(&m.root, peer.path());
        m.empty("volumes");
        let view = m.disk.join("ro");
        assert!(m.linux.view(&m.disk.join("volumes"), &view).unwrap());
        assert!(!m.linux.view(&m.disk.join("volumes"), &view).unwrap());
        let table = read_table().unwrap();
        assert!(table.iter().any(|x| x.target == view && !x.shared));
        let copy = peer.path().join("store/ro");
        assert!(m.flags(&copy).read_only);
        assert!(!peer.path().join("store/ro.making").exists());
        m.linux.unview(&view).unwrap();
        unmount(peer.path(), UnmountFlags::DETACH).unwrap();
    });
}

#[test]
fn a_file_system_whose_server_is_silent_does_not_stop_a_look() {
    private(|| {
        let m = place("t", false);
        let target = m.made("mount");
        let fuse = File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .unwrap();
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0",
            fuse.as_raw_fd()
        );
        let options = std::ffi::CString::new(options).unwrap();
        let none = MountFlags::empty();
        mount("x", target.path(), "fuse", none, options.as_c_str()).unwrap();
        let start = Instant::now();
        let silent = m.linux.probe_at(&target).unwrap();
        drop(fuse);
        let dead = m.linux.probe_at(&target).unwrap();
        for probe in [silent, dead] {
            assert!(matches!(probe, Probe::Mount(_) | Probe::Stale), "{probe:?}");
        }
        assert!(!m.linux.create_at(&target).unwrap());
        m.linux.table().unwrap();
        assert!(m.linux.unmount(&target).unwrap());
        m.linux.remove(&target).unwrap();
        assert!(start.elapsed() < Duration::from_secs(1));
    });
}

#[test]
fn a_sub_path_of_an_overlay_bears_its_name() {
    private(|| {
        let m = place("t", false);
        m.content("c/sub", "a");
        let target = writable(&m, "ab").unwrap();
        let one = m.made("one");
        m.foreign(&target.path().join("sub"), &one.path());
        let table = m.linux.table().unwrap();
        let named = table.iter().filter(|x| x.is_overlay && x.volume == "ab");
        assert_eq!(named.count(), 2);
    });
}

#[test]
fn many_threads_mount_and_unmount_at_once() {
    private(|| {
        let m = place("t", false);
        m.content("c", "shared");
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let m = &m;
                scope.spawn(move || {
                    for round in 0..20 {
                        let target = writable(m, &format!("v{thread}-{round}")).unwrap();
                        assert_eq!(m.shown(&target), "shared");
                        assert!(m.linux.unmount(&target).unwrap());
                        m.linux.remove(&target).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&m.base).unwrap().count(), 0);
    });
}
