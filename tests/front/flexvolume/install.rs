//! The program in kubelet's directory.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

impl Node {
    /// Where the chart has kubelet's directory of drivers.
    fn plugins(&self) -> PathBuf {
        self.sandbox.path("exec")
    }

    fn install(&self) -> Ran {
        let plugins = self.plugins();
        let install = ["flexvolume", "install", plugins.to_str().unwrap()];
        self.sandbox.run(install).must(0)
    }

    fn program(&self) -> PathBuf {
        self.plugins().join("geektime~war-vol/war-vol")
    }

    /// As kubelet calls it: no flag, no variable.
    fn called(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(self.program());
        command.args(arguments).env_clear().stdin(Stdio::null());
        answer(Ran::of(command.output().unwrap()))
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn kubelet_finds_the_program_which_finds_its_driver() {
    let mut node = Node::new();
    assert!(node.install().stdout.contains("war-vol: installed"));
    assert_eq!(names(&node.plugins()), ["geektime~war-vol"]);
    let home = node.plugins().join("geektime~war-vol");
    assert_eq!(names(&home), [".war-vol.json", "war-vol"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&home), mode(&node.program())), (0o755, 0o755));
    assert_eq!(node.called(&["init"])["status"], "Success");
    assert_eq!(node.called(&[])["status"], "Not supported");
    assert_eq!(node.called(&["--help"])["status"], "Not supported");
    assert_eq!(
        node.called(&["serve", "--check"])["status"],
        "Not supported"
    );
    let dir = node.dir("pod");
    let (at, options) = (dir.to_str().unwrap(), node.options(&json!({})));
    assert_eq!(node.called(&["mount", at, &options]), success());
    node.shows(&dir);
    assert_eq!(node.called(&["unmount", at]), success());
    node.nothing_left(&dir);
    // Whoever has spoilt the settings hears that, and the pods can go.
    fs::create_dir_all(&dir).unwrap();
    assert_eq!(node.called(&["mount", at, &options]), success());
    fs::write(home.join(".war-vol.json"), "{").unwrap();
    let other = node.dir("other");
    let said = node.called(&["mount", other.to_str().unwrap(), &options]);
    failed(&said, "reinstall the program");
    assert_eq!(node.called(&["init"])["status"], "Success");
    assert_eq!(node.called(&["unmount", at]), success());
    assert_eq!(node.sandbox.mounts_at(&dir), 0);
    node.lose_driver();
    node.install();
    assert_eq!(node.called(&["unmount", at]), success());
}

#[test]
fn an_installation_changes_nothing_that_is_as_it_should_be_and_replaces_the_rest() {
    let node = Node::new();
    node.install();
    let inode = || fs::metadata(node.program()).unwrap().ino();
    let first = inode();
    assert!(node.install().stdout.contains("already installed"));
    assert_eq!(inode(), first);
    // An older one that runs, and what a killed installation left.
    let home = node.plugins().join("geektime~war-vol");
    fs::remove_file(node.program()).unwrap();
    fs::copy("/bin/sleep", node.program()).unwrap();
    fs::write(home.join(".war-vol.new"), "half").unwrap();
    let mut older = Running(Command::new(node.program()).arg("60").spawn().unwrap());
    assert!(node.install().stdout.contains("war-vol: installed"));
    assert!(older.0.try_wait().unwrap().is_none(), "it runs on");
    assert_eq!(names(&home), [".war-vol.json", "war-vol"]);
    assert_eq!(node.called(&["init"])["status"], "Success");
    fs::set_permissions(node.program(), fs::Permissions::from_mode(0o600)).unwrap();
    node.install();
    assert_eq!(node.called(&["init"])["status"], "Success");
}

#[test]
fn installations_at_once_end_in_one() {
    let node = Node::new();
    fs::create_dir_all(node.plugins().join(".geektime~war-vol")).unwrap();
    std::thread::scope(|threads| {
        let all: Vec<_> = (0..4)
            .map(|_| {
                let mut command = node.sandbox.war_vol();
                command.args(["flexvolume", "install"]).arg(node.plugins());
                threads.spawn(move || Ran::of(command.output().unwrap()).must(0))
            })
            .collect();
        let said = all.into_iter().map(|one| one.join().unwrap());
        let new = said.filter(|ran| ran.stdout.contains("war-vol: installed"));
        assert_eq!(new.count(), 1);
    });
    assert_eq!(names(&node.plugins()), ["geektime~war-vol"]);
    assert_eq!(node.called(&["init"])["status"], "Success");
}

#[test]
fn what_cannot_be_installed_says_why() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("file");
    fs::write(&file, "").unwrap();
    let install = ["flexvolume", "install"].map(OsStr::new);
    let run = |more: &[&OsStr]| sandbox.run([&install, more].concat());
    run(&[]).must(2);
    run(&[file.as_os_str()]).must(11).says("cannot create");
    let relative = ["dir", "--root", "relative"].map(OsStr::new);
    run(&relative).must(2).says("not an absolute UTF-8 path");
    assert!(!sandbox.path("dir").exists());
}
