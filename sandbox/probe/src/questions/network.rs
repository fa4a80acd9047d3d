//! Sockets, and whom they reach.

use std::fs;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::path::Path;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::call::{call, name_of};
use crate::questions::files::walk;
use crate::verdict::Verdict;

const PATIENCE: Duration = Duration::from_millis(700);

fn socket(family: usize, kind: i32, protocol: usize) -> Result<i64, i32> {
    call(libc::SYS_socket, [family, kind as usize, protocol, 0, 0, 0])
}

/// To the hypervisor and its other guests: no network namespace holds it back on older kernels.
pub(crate) fn vsock(_: &Arguments) -> Verdict {
    const VSOCK: usize = 40;
    match socket(VSOCK, libc::SOCK_STREAM, 0) {
        Err(error) => Verdict::refused(name_of(error)),
        Ok(_) => Verdict::allowed("a socket"),
    }
}

/// Families, kinds and protocols that no training program needs. Those that this kernel does not have cannot be told from refused ones.
pub(crate) fn families(_: &Arguments) -> Verdict {
    let (stream, datagram, raw, packet) = (
        libc::SOCK_STREAM,
        libc::SOCK_DGRAM,
        libc::SOCK_RAW,
        libc::SOCK_SEQPACKET,
    );
    let kinds = [
        ("raw ip", 2, raw, 1),
        ("raw ip by number", 2, raw, 255),
        ("raw ipv6", 10, raw, 58),
        ("ping", 2, datagram, 1),
        ("ping6", 10, datagram, 58),
        ("sctp", 2, stream, 132),
        ("mptcp", 2, stream, 262),
        ("udp-lite", 2, datagram, 136),
        ("packet", 17, raw, 0x300),
        ("packet datagrams", 17, datagram, 0x300),
        ("alg", 38, packet, 0),
        ("key", 15, raw, 2),
        ("netfilter", 16, raw, 12),
        ("audit", 16, raw, 9),
        ("uevents", 16, datagram, 15),
        ("generic netlink", 16, raw, 16),
        ("xfrm", 16, raw, 6),
        ("sock_diag", 16, raw, 4),
        ("crypto", 16, raw, 21),
        ("selinux", 16, raw, 7),
        ("bluetooth", 31, raw, 1),
        ("can", 29, raw, 1),
        ("rds", 21, packet, 0),
        ("tipc", 30, packet, 0),
        ("xdp", 44, raw, 0),
        ("smc", 43, stream, 0),
        ("nfc", 39, raw, 0),
        ("ax25", 3, packet, 0),
        ("x25", 9, packet, 0),
        ("llc", 26, stream, 0),
        ("pppox", 24, stream, 0),
        ("qrtr", 42, datagram, 0),
        ("kcm", 41, datagram, 0),
        ("802.15.4", 36, raw, 0),
        ("phonet", 35, datagram, 0),
        ("caif", 37, packet, 0),
        ("isdn", 34, raw, 0),
        ("rxrpc", 33, datagram, 2),
        ("netrom", 6, packet, 0),
        ("appletalk", 5, datagram, 0),
        ("ipx", 4, datagram, 0),
        ("unix raw", 1, packet, 5),
    ];
    let made = kinds
        .iter()
        .filter(|(_, family, kind, protocol)| socket(*family, *kind, *protocol).is_ok())
        .map(|(name, ..)| (*name).to_owned());
    Verdict::of_successes(made.collect())
}

/// A listener of the host, given as `abstract=`.
pub(crate) fn abstract_socket(arguments: &Arguments) -> Verdict {
    let Some(name) = arguments.get("abstract") else {
        return Verdict::refused("none was named");
    };
    let address = UnixAddr::from_abstract_name(name).expect("a short name");
    match UnixStream::connect_addr(&address) {
        Ok(_) => Verdict::allowed("connected"),
        Err(error) => Verdict::refused(name_of(error.raw_os_error().unwrap_or(0))),
    }
}

fn connects(addresses: impl Iterator<Item = String>) -> Verdict {
    let mut successes = Vec::new();
    let mut last = "none was named".to_owned();
    for address in addresses {
        let Ok(parsed) = address.parse::<SocketAddr>() else {
            continue;
        };
        match TcpStream::connect_timeout(&parsed, PATIENCE) {
            Ok(_) => successes.push(address),
            Err(error) => last = error.raw_os_error().map_or("timed out".to_owned(), name_of),
        }
    }
    match successes.is_empty() {
        true => Verdict::refused(last),
        false => Verdict::of_successes(successes),
    }
}

/// A listener of the host on its loopback, given as `tcp=ADDRESS:PORT`.
pub(crate) fn host_loopback(arguments: &Arguments) -> Verdict {
    connects(arguments.all("tcp").map(str::to_owned))
}

/// Cloud metadata, and addresses out there.
pub(crate) fn internet(_: &Arguments) -> Verdict {
    let addresses = [
        "169.254.169.254:80",
        "1.1.1.1:443",
        "[2606:4700:4700::1111]:443",
    ];
    connects(addresses.iter().map(|address| (*address).to_owned()))
}

/// A question to a name server, and whether there is one on the list.
pub(crate) fn names(_: &Arguments) -> Verdict {
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let listed = text
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver "));
    let mut successes = Vec::new();
    for server in listed.chain(["8.8.8.8", "127.0.0.53"]) {
        let Ok(socket) = UdpSocket::bind("0.0.0.0:0") else {
            continue;
        };
        let _ = socket.set_read_timeout(Some(PATIENCE));
        let sent = socket.send_to(question, format!("{server}:53"));
        if sent.is_ok() && socket.recv(&mut [0; 512]).is_ok() {
            successes.push(format!("an answer from {server}"));
        }
    }
    Verdict::of_successes(successes)
}

/// Interfaces but for the loopback. Its own loopback must work: training uses it.
pub(crate) fn interfaces(_: &Arguments) -> Verdict {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let names = text
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next())
        .map(str::trim);
    let others: Vec<String> = names
        .filter(|name| *name != "lo")
        .map(str::to_owned)
        .collect();
    let own = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| TcpStream::connect(listener.local_addr()?));
    match (others.is_empty(), own) {
        (true, Ok(_)) => Verdict::contained("its own loopback"),
        (true, Err(error)) => Verdict::refused(format!("not even a loopback: {error}")),
        (false, _) => Verdict::of_successes(others),
    }
}

/// Sockets of daemons that lie about.
pub(crate) fn daemons_sockets(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    for folder in ["/run", "/var/run", "/tmp", "/var/lib", "/in"] {
        walk(Path::new(folder), 4, &mut |file, kind| {
            if std::os::unix::fs::FileTypeExt::is_socket(&kind) && UnixStream::connect(file).is_ok()
            {
                successes.push(file.display().to_string());
            }
        });
    }
    Verdict::of_successes(successes)
}
