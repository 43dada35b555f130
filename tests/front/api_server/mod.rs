//! A model of the API server, as far as the driver speaks to it: one Node and its CSINode, over HTTPS.
//!
//! Invariant: a patch is applied as a whole or not at all, and what it tests is compared with what is there, as a real
//! one does; who has no right or no token learns nothing. What it says in words is what a real one says.

mod model;
mod wire;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use rustix::mount::{MountFlags, mount};

pub(crate) use self::model::Model;

use crate::origin::authority;

/// Where a pod finds its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A server on 127.0.0.1. Ends when dropped.
pub(crate) struct ApiServer {
    model: Arc<Mutex<Model>>,
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl ApiServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (address, model) = (listener.local_addr().unwrap(), Model::new());
        let (model, ends) = (
            Arc::new(Mutex::new(model)),
            Arc::new(AtomicBool::new(false)),
        );
        let (theirs, over) = (Arc::clone(&model), Arc::clone(&ends));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // One after another: there is one driver. Who says nothing is not waited for.
                let _ = wire::answer(stream, &authority().server, &theirs);
            }
        });
        Self {
            model,
            address,
            ends,
            acceptor: Some(acceptor),
        }
    }

    /// What there is, to be read and changed.
    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its own authority.
    pub(crate) fn pem() -> &'static str {
        &authority().pem
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Makes this thread's mount namespace look like a pod's: a service account where Kubernetes puts it.
pub(crate) fn account(token: &str, authority: &str) {
    mount("none", "/run", "tmpfs", MountFlags::empty(), None).unwrap();
    fs::create_dir_all(ACCOUNT).unwrap();
    fs::write(Path::new(ACCOUNT).join("ca.crt"), authority).unwrap();
    new_token(token);
}

/// As kubelet replaces it while the pod runs.
pub(crate) fn new_token(token: &str) {
    fs::write(Path::new(ACCOUNT).join("token"), token).unwrap();
}
