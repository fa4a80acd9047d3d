//! The socket on which a watcher takes requests.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect,
    listen as listen_on, socket_with,
};
use rustix::process::Pid;

use super::CONTROL_FILE;
use crate::channel::Channel;

fn socket() -> io::Result<OwnedFd> {
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Who answers at the other end of `channel`, which is connected to it.
pub fn answers_at(channel: &Channel) -> io::Result<Pid> {
    Ok(socket_peercred(channel)?.pid)
}

/// Listens in the current directory, where nobody may have before.
pub(super) fn listen() -> io::Result<OwnedFd> {
    let socket = socket()?;
    bind(&socket, &SocketAddrUnix::new(CONTROL_FILE)?)?;
    listen_on(&socket, 64)?;
    Ok(socket)
}

/// The next client of `listener`.
pub(super) fn client(listener: impl AsFd) -> io::Result<Channel> {
    Ok(accept_with(listener, SocketFlags::CLOEXEC)?.into())
}

/// Connects to the watcher of the job in `directory`. What it does not take or answer within a time is an error of the kind `WouldBlock`:
/// somebody may have stopped it.
pub fn connect_to(directory: &Path, within: Duration) -> io::Result<Channel> {
    let socket = socket()?;
    for timeout in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(&socket, timeout, Some(within))?;
    }
    // A socket's path has 108 bytes, a directory's may have more: it is named by a descriptor.
    let directory = open(
        directory,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let path = format!("/proc/self/fd/{}/{CONTROL_FILE}", directory.as_raw_fd());
    connect(&socket, &SocketAddrUnix::new(path.as_str())?)?;
    Ok(socket.into())
}
