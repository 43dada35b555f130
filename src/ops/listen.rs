//! Where the answers are to be had: at an address, and at `[::]` by IPv4 as well.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};

/// Listens at an address. `[::]` is every address of the machine, those of IPv4 too, whatever `net.ipv6.bindv6only`
/// says; where the kernel has no IPv6 (`ipv6.disable=1`), it is `0.0.0.0`. So one setting does for every cluster.
///
/// Errors: the address is not this machine's or is in use.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match open(address) {
        Err(error) if is_everywhere(address) && means_no_ipv6(&error) => {
            let instead = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            tracing::info!(%address, %instead, "this machine has no IPv6");
            open(instead)
        }
        opened => opened,
    }
}

/// As the standard library does it, which leaves the one option to the kernel's settings.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    if is_everywhere(address) {
        setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
    }
    // A port whose last connections are being closed is free.
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    nix::sys::socket::listen(&socket, Backlog::MAXCONN)?;
    Ok(TcpListener::from(socket))
}

fn is_everywhere(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unspecified(),
    }
}

/// The kernel knows no such socket, or has nowhere to bind it.
fn means_no_ipv6(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL]
        .iter()
        .any(|errno| number == Some(*errno as i32))
}
