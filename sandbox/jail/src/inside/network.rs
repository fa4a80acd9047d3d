//! The job's loopback.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::outcome::{LaunchError, Stage};
use crate::plan::Network;
use crate::step::At;
use crate::syscalls;

/// Connections that nobody has accepted yet, at most.
const WAITING_MAX: i32 = 128;

/// Enters a network of its own, which nothing leads out of, and brings up its loopback. The namespace.
pub(super) fn make() -> Result<OwnedFd, LaunchError> {
    syscalls::new_network_namespace().map_err(crate::watcher::no_namespaces)?;
    let socket = socket(SocketType::DGRAM).at(Stage::Network, || "a socket for the loopback")?;
    syscalls::loopback_up(socket.as_fd()).at(Stage::Network, || "bringing up the loopback")?;
    syscalls::network_of(socket.as_fd()).at(Stage::Network, || "the job's network")
}

/// The listening socket of the proxy's port, which the job itself never has: whoever starts the job accepts what comes, without a way
/// between the namespaces.
pub(super) fn listen(network: &Network) -> Result<Option<OwnedFd>, LaunchError> {
    let Some(port) = network.proxy_port else {
        return Ok(None);
    };
    let listening = || -> Result<OwnedFd, Errno> {
        let socket = socket(SocketType::STREAM)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
        net::listen(&socket, WAITING_MAX)?;
        Ok(socket)
    };
    listening()
        .map(Some)
        .at(Stage::Network, || format!("listening on 127.0.0.1:{port}"))
}

fn socket(kind: SocketType) -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)
}
