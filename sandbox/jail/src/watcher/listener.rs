//! The socket on which a watcher takes requests.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen as listen_on, socket_with};

use crate::channel::Channel;

fn socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Listens at `path`, which must not exist.
pub(super) fn listen(path: &str) -> io::Result<OwnedFd> {
    let socket = socket()?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen_on(&socket, 64)?;
    Ok(socket)
}

/// The next client of `listener`.
pub(super) fn client(listener: impl AsFd) -> io::Result<Channel> {
    Ok(accept_with(listener, SocketFlags::CLOEXEC)?.into())
}

/// Connects to the watcher that listens at `path`.
pub fn connect_to(path: &std::path::Path) -> io::Result<Channel> {
    let socket = socket()?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}
