//! Where the answers are to be had: at an address, and at `[::]` by IPv4 as well.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

/// How many connections wait to be accepted at most (SOMAXCONN).
const BACKLOG: i32 = 4096;

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
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if is_everywhere(address) {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    // A port whose last connections are being closed is free.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
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
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
    )
}
