//! Who the driver is to the API server, and where that is: what Kubernetes gives to every pod.

use std::fs;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::Error;
use crate::metrics::ApiRequests;

/// Where Kubernetes puts them. They are replaced while the pod runs, so they are read when they are used.
const DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The service account of this pod.
#[derive(Clone, Debug)]
pub struct Account {
    server: Url,
    directory: PathBuf,
    /// Where requests are counted.
    pub(super) requests: ApiRequests,
}

impl Account {
    /// As the environment has it.
    ///
    /// Errors: this is no pod.
    pub fn of_this_pod() -> Result<Self, Error> {
        let read = |name| std::env::var(name).unwrap_or_default();
        Self::at(
            &read("KUBERNETES_SERVICE_HOST"),
            &read("KUBERNETES_SERVICE_PORT"),
        )
    }

    /// Counts the requests that are made in its name.
    #[must_use]
    pub fn counting(mut self, requests: ApiRequests) -> Self {
        self.requests = requests;
        self
    }

    pub(super) fn at(host: &str, port: &str) -> Result<Self, Error> {
        if host.is_empty() {
            return Err(Error::NoPod);
        }
        let shown = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => host.to_owned(),
        };
        let port = if port.is_empty() { "443" } else { port };
        Ok(Self {
            server: Url::parse(&format!("https://{shown}:{port}/"))
                .map_err(|_| Error::Address(crate::artifact::shown(&format!("{host}:{port}"))))?,
            directory: DIRECTORY.into(),
            requests: ApiRequests::default(),
        })
    }

    pub(super) fn server(&self) -> &Url {
        &self.server
    }

    /// What proves it, as the value of a header that is never printed.
    pub(super) fn token(&self) -> Result<HeaderValue, Error> {
        let path = self.directory.join("token");
        let text = fs::read_to_string(&path).map_err(|e| account(&path, &e.to_string()))?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", text.trim()))
            .map_err(|_| account(&path, "it is not a token"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Whom we believe: the cluster's own authority and no other.
    pub(super) fn tls(&self) -> Result<ClientConfig, Error> {
        let path = self.directory.join("ca.crt");
        let wrong = |why: &str| account(&path, why);
        let pem = fs::read(&path).map_err(|e| wrong(&e.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            certificate
                .map_err(|e| e.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|e| e.to_string()))
                .map_err(|why| wrong(&why))?;
        }
        if roots.is_empty() {
            return Err(wrong("it contains no certificate"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(&e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Many watches share one connection.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn account(path: &Path, why: &str) -> Error {
    Error::Account {
        path: path.into(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_found_by_address_and_by_name() {
        let at = |host, port| Account::at(host, port).map(|a| a.server.to_string());
        assert_eq!(at("10.96.0.1", "443").unwrap(), "https://10.96.0.1/");
        assert_eq!(at("fd00::1", "6443").unwrap(), "https://[fd00::1]:6443/");
        assert_eq!(
            at("api.example.com", "").unwrap(),
            "https://api.example.com/"
        );
        assert!(matches!(at("", "443"), Err(Error::NoPod)));
        assert!(matches!(
            at("10.96.0.1", "tcp://10.96.0.1:443"),
            Err(Error::Address(_))
        ));
    }
}
