#!/bin/bash
# hickory-resolver: two name servers of resolv.conf are asked at once, and the faster answer counts, a "no" as well.
#
# One expects: a resolver that reads /etc/resolv.conf follows it. resolv.conf(5) says of several name servers that they
# are queried in the order listed, and that the next one is tried if the query times out.
#
# What happens: the resolver for the system's configuration asks two name servers at once, and the first to answer
# decides, even with "no such name". With two servers in the file their order says nothing, and an answer that takes
# longer comes too late, be it the right one. musl's resolver is known for the like.
#
# Who meets it: whoever has the company's name server first, which alone knows the internal names, and a public one
# behind it for bad days. curl, and all else that asks glibc, finds an internal name; a program with this crate says,
# now and then or always, that there is none. And every internal name is told to the public server.
#
# Versions: hickory-resolver 0.26.3 (num_concurrent_reqs is documented, and 2 if nothing is said); Debian 12's glibc
# 2.36. Upstream: hickory-dns/hickory-dns#612 asked for it; mkerrisk/man-pages#34 discusses whether resolv.conf(5) sets
# a rule or describes glibc.
#
# Needs cargo, ip and unshare. The name servers are threads of the program, in a network namespace with only a loopback
# device, and the resolv.conf is one of its mount namespace.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "names"
version = "0.0.0"
edition = "2024"
[dependencies]
hickory-net = { version = "=0.26.3", default-features = false }
hickory-proto = { version = "=0.26.3", default-features = false }
hickory-resolver = { version = "=0.26.3", default-features = false, features = ["system-config", "tokio"] }
tokio = { version = "=1.54.1", features = ["rt"] }
TOML
cat > src/main.rs <<'RUST'
use hickory_resolver::{TokioResolver, config::ServerOrderingStrategy};
use std::net::{ToSocketAddrs, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::{thread, time::Duration};

static ASKED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// Name server 0 knows the address of every name, and takes a second to say so; 1 says at once that there is no name.
fn serve(server: usize, socket: UdpSocket) {
    let mut query = [0; 512];
    for _ in 0..100 {
        let (length, client) = socket.recv_from(&mut query).unwrap();
        ASKED[server].fetch_add(1, SeqCst);
        // The header's 12 bytes, the name's labels up to an empty one, the type and the class.
        let end = 12 + query[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
        let mut answer = query[..end].to_vec();
        answer[2..12].copy_from_slice(&[0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
        if server == 1 {
            answer[3] |= 3; // NXDOMAIN
        } else if query[end - 3] == 1 {
            thread::sleep(Duration::from_secs(1));
            answer[7] = 1; // one answer: A, IN, for 60 seconds, 192.0.2.1
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        }
        socket.send_to(&answer, client).unwrap();
    }
}

/// What was found, and which servers were asked for it.
fn report(who: &str, found: Result<String, String>) -> (bool, bool) {
    // A query that is on its way is counted, too.
    thread::sleep(Duration::from_millis(1500));
    let [first, second] = [0, 1].map(|server: usize| ASKED[server].swap(0, SeqCst) > 0);
    println!("{who}\n    asked the first: {first}, the second: {second}; {}", found.as_deref().unwrap_or_else(|e| e));
    (found.is_ok_and(|address| address == "192.0.2.1"), second)
}

fn hickory(in_order: bool) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut builder = TokioResolver::builder_tokio().unwrap(); // from /etc/resolv.conf
        if in_order {
            builder.options_mut().num_concurrent_reqs = 1;
            builder.options_mut().server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        }
        let found = builder.build().unwrap().lookup_ip("files.corp.example.").await;
        found.map(|found| found.iter().next().unwrap().to_string()).map_err(|e| e.to_string())
    })
}

fn main() {
    for (server, address) in ["127.0.0.2:53", "127.0.0.3:53"].into_iter().enumerate() {
        let socket = UdpSocket::bind(address).unwrap();
        thread::spawn(move || serve(server, socket));
    }
    let glibc = "files.corp.example.:80".to_socket_addrs();
    let glibc = glibc.map(|mut found| found.next().unwrap().ip().to_string()).map_err(|e| e.to_string());
    let seen = [
        report("glibc (expected: 192.0.2.1, from the first)", glibc),
        report("hickory-resolver (expected: the same)", hickory(false)),
        report("hickory-resolver, told to ask one at a time, in order", hickory(true)),
    ];
    let changed = seen != [(true, false), (false, true), (true, false)];
    println!("{}", if changed { "changed: not what was recorded" } else { "as recorded" });
    std::process::exit(changed.into());
}
RUST
printf 'nameserver 127.0.0.2\nnameserver 127.0.0.3\n' > resolv.conf
echo 'hosts: files dns' > nsswitch.conf

export CARGO_TARGET_DIR=$dir/target CARGO_PROFILE_DEV_DEBUG=0
cargo build --quiet
cargo tree --quiet --depth 1 | sed -n 's/^.* \(hickory-resolver\) v/\1 /p'
getconf GNU_LIBC_VERSION
# shellcheck disable=SC2016 # the inner shell expands its own
timeout 120 unshare --map-root-user --mount --net sh -euc '
    ip link set lo up
    for file in resolv.conf nsswitch.conf; do
        [ ! -e "/etc/$file" ] || mount --bind "$file" "/etc/$file"
    done
    exec target/debug/names'
