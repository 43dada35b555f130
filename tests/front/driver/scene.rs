//! A driver, an origin with one artifact, and what should be left of them.

use std::fs;

use super::{Call, Driver};
use crate::node::{bytes, mounts_at, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

pub(crate) struct Scene {
    pub(crate) driver: Driver,
    pub(crate) origin: Origin,
    pub(crate) sandbox: Sandbox,
    pub(crate) content: Vec<u8>,
    /// Of `/a.war`.
    pub(crate) url: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(Sandbox::new())
    }

    /// In a sandbox that was made ready for it.
    pub(crate) fn with(sandbox: Sandbox) -> Self {
        let driver = Driver::start(&sandbox);
        Self::of(sandbox, driver)
    }

    /// With a driver that was started in some way of its own.
    pub(crate) fn of(sandbox: Sandbox, driver: Driver) -> Self {
        let origin = Origin::start();
        let content = bytes(51, 300_000);
        origin.put("/a.war", Object::new(content.clone()));
        Self {
            driver,
            url: origin.url("/a.war"),
            origin,
            sandbox,
            content,
        }
    }

    /// An inline volume of a pod, published.
    pub(crate) fn published(&self, pod: &str) -> Call {
        let call = self.driver.inline(pod, &self.url);
        self.driver.publish(&call).unwrap();
        call
    }

    /// It is seen once, and is the artifact.
    pub(crate) fn shows(&self, call: &Call) {
        assert!(super::read(&call.target()) == self.content);
        assert_eq!(mounts_at(&call.target()).len(), 1);
    }

    /// The driver ends by a signal that it cannot see, and another one begins.
    pub(crate) fn killed(self) -> Self {
        self.killed_and(Driver::start)
    }

    /// The same, where the other one begins in a way of its own.
    pub(crate) fn killed_and(self, begin: impl FnOnce(&Sandbox) -> Driver) -> Self {
        let Self {
            driver,
            origin,
            sandbox,
            content,
            url,
        } = self;
        drop(driver);
        let driver = begin(&sandbox);
        Self {
            driver,
            origin,
            sandbox,
            content,
            url,
        }
    }

    /// Waits until what was thrown away is deleted.
    pub(crate) fn nothing_in_the_trash(&self) {
        until("what was thrown away is deleted", || {
            self.sandbox.bucket("trash").is_empty()
        });
    }

    /// No volume, and of the pods their own directories.
    pub(crate) fn nothing_left(&self) {
        self.nothing_in_the_trash();
        self.sandbox.assert_no_volume_left();
        let pods = fs::read_dir(self.driver.kubelet.join("pods")).unwrap();
        for pod in pods {
            let parent = pod
                .unwrap()
                .path()
                .join("volumes/kubernetes.io~csi/webapps");
            assert_eq!(
                fs::read_dir(&parent).map_or(0, Iterator::count),
                0,
                "{}",
                parent.display()
            );
        }
    }
}
