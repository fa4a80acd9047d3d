//! Bytes between two sockets, counted.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

const BUFFER_BYTES: usize = 64 << 10;
/// Reads and writes before the other direction has its turn.
const TURN: usize = 32;

/// Bytes that may still pass, of all connections together.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

impl Budget {
    pub(crate) fn new(bytes: u64) -> Budget {
        Budget(AtomicU64::new(bytes))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    pub(crate) fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets aside `wanted` bytes, or what is left.
    pub(crate) fn take(&self, wanted: u64) -> u64 {
        let mut taken = 0;
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                taken = left.min(wanted);
                Some(left - taken)
            });
        taken
    }

    pub(crate) fn give_back(&self, unused: u64) {
        self.0.fetch_add(unused, Ordering::Relaxed);
    }

    /// Takes all of `bytes`, or nothing.
    pub(crate) fn spend(&self, bytes: u64) -> bool {
        let taken = self.take(bytes);
        if taken < bytes {
            self.give_back(taken);
        }
        taken == bytes
    }
}

/// Why bytes no longer pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// one of both sides had enough
    Closed,
    /// none had anything to say for too long
    Idle,
    /// the budget is empty
    Exhausted,
}

/// Bytes that have passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// How much of what a client sends is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upwards {
    /// all
    All,
    /// so many bytes, the rest of a request's body
    Bytes(u64),
}

/// One direction.
struct Way<'a> {
    from: &'a TcpStream,
    to: &'a TcpStream,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// what is still to be read
    wanted: u64,
    /// whether the end is passed on too
    closes: bool,
    over: bool,
    passed: u64,
}

enum Step {
    Waits,
    Exhausted,
}

impl<'a> Way<'a> {
    fn new(from: &'a TcpStream, to: &'a TcpStream, wanted: Upwards) -> Way<'a> {
        Way {
            from,
            to,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            wanted: match wanted {
                Upwards::All => u64::MAX,
                Upwards::Bytes(bytes) => bytes,
            },
            closes: wanted == Upwards::All,
            over: wanted == Upwards::Bytes(0),
            passed: 0,
        }
    }

    /// What it waits for: a socket and an event.
    fn waits_for(&self) -> Option<(&'a TcpStream, PollFlags)> {
        match (self.over, self.start < self.end) {
            (true, _) => None,
            (false, true) => Some((self.to, PollFlags::OUT)),
            (false, false) => Some((self.from, PollFlags::IN)),
        }
    }

    /// Passes on what can be without waiting.
    fn go(&mut self, budget: &Budget) -> io::Result<Step> {
        for _ in 0..TURN {
            if self.over {
                break;
            }
            if self.start < self.end {
                match self.to.write(&self.buffer[self.start..self.end]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(bytes) => {
                        self.start += bytes;
                        self.passed += bytes as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Step::Waits);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                continue;
            }
            if self.wanted == 0 {
                self.over = true;
                continue;
            }
            let room = budget.take(self.wanted.min(BUFFER_BYTES as u64));
            if room == 0 {
                return Ok(Step::Exhausted);
            }
            let read = self.from.read(&mut self.buffer[..room as usize]);
            let bytes = *read.as_ref().unwrap_or(&0) as u64;
            budget.give_back(room - bytes);
            match read {
                Ok(0) => {
                    self.over = true;
                    if self.closes {
                        // It may be gone.
                        let _ = self.to.shutdown(Shutdown::Write);
                    }
                }
                Ok(bytes) => {
                    (self.start, self.end) = (0, bytes);
                    self.wanted -= bytes as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Waits),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Step::Waits)
    }
}

/// Passes bytes on in both directions until the server has no more, and the client none either if all of its bytes are wanted.
pub(crate) fn relay(
    client: &TcpStream,
    server: &TcpStream,
    upwards: Upwards,
    idle: Duration,
    budget: &Budget,
    passed: &mut Passed,
) -> io::Result<End> {
    client.set_nonblocking(true)?;
    server.set_nonblocking(true)?;
    let mut ways = [
        Way::new(client, server, upwards),
        Way::new(server, client, Upwards::All),
    ];
    let end = pass(&mut ways, upwards, idle, budget);
    passed.sent += ways[0].passed;
    passed.received += ways[1].passed;
    end
}

fn pass(
    ways: &mut [Way<'_>; 2],
    upwards: Upwards,
    idle: Duration,
    budget: &Budget,
) -> io::Result<End> {
    let idle = Timespec {
        tv_sec: idle.as_secs() as i64,
        tv_nsec: i64::from(idle.subsec_nanos()),
    };
    loop {
        for way in ways.iter_mut() {
            match way.go(budget) {
                Ok(Step::Waits) => {}
                Ok(Step::Exhausted) => return Ok(End::Exhausted),
                // Whoever went away in the middle had enough.
                Err(error) if gone(&error) => return Ok(End::Closed),
                Err(error) => return Err(error),
            }
        }
        let answered = ways[1].over && upwards != Upwards::All;
        if answered || ways.iter().all(|way| way.over) {
            return Ok(End::Closed);
        }
        let mut polled: Vec<PollFd<'_>> = ways
            .iter()
            .filter_map(Way::waits_for)
            .map(|(socket, event)| PollFd::new(socket, event))
            .collect();
        match poll(&mut polled, Some(&idle)) {
            Ok(0) => return Ok(End::Idle),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}
