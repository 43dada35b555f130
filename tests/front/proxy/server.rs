//! Proxies, good and bad.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::origin::authority;

/// What a proxy does with whatever it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Does {
    /// Its work: CONNECT opens a tunnel, and what is asked by its whole URL it asks itself.
    Work,
    /// Its work for this user and password alone, in base64.
    WorkFor(&'static str),
    /// Says this, and closes the connection.
    Says(&'static str),
    /// Reads, and says nothing.
    Nothing,
    /// Opens a tunnel and then closes it.
    Breaks,
    /// SOCKS 5: connects to where it is asked to, whatever that is, for everybody.
    Socks,
    /// SOCKS 5, for a user and password.
    SocksFor(&'static str, &'static str),
    /// SOCKS 5: refuses with this reply.
    SocksSays(u8),
}

/// One that runs until the test ends.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    pub(super) is_tls: bool,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(super) fn start(does: Does) -> Self {
        Self::start_on("127.0.0.1:0", does, false)
    }

    /// In TLS, with a certificate of the tests' own authority.
    pub(super) fn start_tls(does: Does) -> Self {
        Self::start_on("127.0.0.1:0", does, true)
    }

    pub(super) fn start_on(address: &str, does: Does, tls: bool) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let acceptor = tls.then(|| TlsAcceptor::from(Arc::clone(&authority().server)));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((client, _)) = listener.accept().await {
                    let (log, acceptor) = (Arc::clone(&log), acceptor.clone());
                    tokio::spawn(async move {
                        // A client that goes away is no fault of the proxy's.
                        let _ = match acceptor {
                            None => serve(client, does, &log).await,
                            Some(acceptor) => match acceptor.accept(client).await {
                                Ok(client) => serve(client, does, &log).await,
                                Err(_) => Ok(()),
                            },
                        };
                    });
                }
            });
        });
        Self {
            address,
            is_tls: tls,
            asked,
        }
    }

    /// As a variable has it.
    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// What it was asked: the first lines of requests, with a login behind them, or the targets of SOCKS.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    client: T,
    does: Does,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    match does {
        Does::Socks | Does::SocksFor(..) | Does::SocksSays(_) => socks(client, does, log).await,
        Does::Work | Does::WorkFor(_) | Does::Says(_) | Does::Nothing | Does::Breaks => {
            http(client, does, log).await
        }
    }
}

async fn http<T: AsyncRead + AsyncWrite + Unpin>(
    mut client: T,
    does: Does,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap();
    let (method, target) = line
        .strip_suffix(" HTTP/1.1")
        .unwrap()
        .split_once(' ')
        .unwrap();
    let login = head.lines().find_map(|l| {
        let (name, value) = l.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then(|| value.to_owned())
    });
    let shown = login.as_ref().map_or_else(String::new, |l| format!(" {l}"));
    log.lock()
        .unwrap()
        .push(format!("{method} {target}{shown}"));
    match does {
        Does::Says(text) => {
            client.write_all(text.as_bytes()).await?;
            return client.shutdown().await;
        }
        Does::Nothing => std::future::pending().await,
        Does::Breaks => {
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            return client.shutdown().await;
        }
        Does::WorkFor(user) if login != Some(format!("Basic {user}")) => {
            client
                .write_all(
                    b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
                )
                .await?;
            return client.shutdown().await;
        }
        Does::Work | Does::WorkFor(_) | Does::Socks | Does::SocksFor(..) | Does::SocksSays(_) => {}
    }
    if method == "CONNECT" {
        let mut origin = TcpStream::connect(target).await?;
        // An interim answer, and a success that is not 200.
        client
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Connected\r\nX: y\r\n\r\n")
            .await?;
        copy_bidirectional(&mut client, &mut origin).await?;
        return Ok(());
    }
    let (host, path) = target
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut origin = TcpStream::connect(host).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    origin.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    origin.read_to_end(&mut answer).await?;
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// RFC 1928 and 1929, as far as CONNECT goes.
async fn socks<T: AsyncRead + AsyncWrite + Unpin>(
    mut client: T,
    does: Does,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let take = async |client: &mut T, count: usize| {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).await.map(|_| bytes)
    };
    let head = take(&mut client, 2).await?;
    let offered = take(&mut client, head[1].into()).await?;
    if let Does::SocksFor(user, password) = does {
        if !offered.contains(&2) {
            return client.write_all(&[5, 0xff]).await;
        }
        client.write_all(&[5, 2]).await?;
        let count = take(&mut client, 2).await?[1];
        let given_user = take(&mut client, count.into()).await?;
        let count = take(&mut client, 1).await?[0];
        let given_password = take(&mut client, count.into()).await?;
        let right = given_user == user.as_bytes() && given_password == password.as_bytes();
        client.write_all(&[1, u8::from(!right)]).await?;
        if !right {
            return client.shutdown().await;
        }
    } else {
        client.write_all(&[5, 0]).await?;
    }
    let head = take(&mut client, 4).await?;
    let host = match head[3] {
        1 => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(take(&mut client, 4).await?).unwrap())
            .to_string(),
        3 => {
            let count = take(&mut client, 1).await?[0];
            String::from_utf8(take(&mut client, count.into()).await?).unwrap()
        }
        4 => format!(
            "[{}]",
            std::net::Ipv6Addr::from(<[u8; 16]>::try_from(take(&mut client, 16).await?).unwrap())
        ),
        other => panic!("address type {other}"),
    };
    let port = take(&mut client, 2).await?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    log.lock().unwrap().push(format!("{host}:{port}"));
    let reply = |code: u8| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    if let Does::SocksSays(code) = does {
        client.write_all(&reply(code)).await?;
        return client.shutdown().await;
    }
    // Whatever name it is: the proxy resolves it, here always to this machine.
    let mut origin = TcpStream::connect(("127.0.0.1", port)).await?;
    client.write_all(&reply(0)).await?;
    copy_bidirectional(&mut client, &mut origin).await?;
    Ok(())
}
