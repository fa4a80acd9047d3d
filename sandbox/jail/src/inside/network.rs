//! The job's loopback.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

use crate::outcome::{LaunchError, Stage};
use crate::plan::Network;
use crate::step::At;
use crate::syscalls;

/// Connections that nobody has accepted yet, at most.
const WAITING_MAX: i32 = 128;

/// Brings up the loopback, if it is the job's own. The listening socket of the proxy's port, which the job itself never has: whoever
/// starts the job accepts what comes, without a way between the namespaces.
pub(super) fn prepare(network: &Network) -> Result<Option<OwnedFd>, LaunchError> {
    if network.of.is_none() {
        let socket =
            socket(SocketType::DGRAM).at(Stage::Network, || "a socket for the loopback")?;
        syscalls::loopback_up(socket.as_fd()).at(Stage::Network, || "bringing up the loopback")?;
    }
    let Some(port) = network.proxy_port else {
        return Ok(None);
    };
    let listening = || -> Result<OwnedFd, Errno> {
        let socket = socket(SocketType::STREAM)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
        listen(&socket, WAITING_MAX)?;
        Ok(socket)
    };
    listening()
        .map(Some)
        .at(Stage::Network, || format!("listening on 127.0.0.1:{port}"))
}

fn socket(kind: SocketType) -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)
}
