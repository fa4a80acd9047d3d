//! Which system calls a job was refused, where its plan asks for it: the filter asks this process instead of refusing by itself, which writes
//! down what was asked and answers with the error that the filter would have given.
//!
//! What is never made stays so: the answer is an error, whatever happens here, and the kernel's own (ENOSYS) where this process is gone. What
//! is different from a job without it: a refused call waits for this process, and more than 5000 of them in a second wait longer.
//!
//! `refused.json` in the job's directory has what was asked, by call, from time to time and when the job has ended: [`Refusals`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::seccomp::{Program, Verdict};
use crate::syscalls::seccomp::{Asked, answer, next};

/// The file in the job's directory.
pub const REFUSED_FILE: &str = "refused.json";

/// Calls that are told apart at most, and of each the arguments that are kept: what a job asks for does not fill the disk.
const CALLS_MAX: usize = 512;
const EXAMPLES_MAX: usize = 8;

/// Calls that are answered in a second at most: some 2 % of a processor.
const RATE: u32 = 5000;

/// How often the file is written while calls come.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);

/// What a job was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// by number
    pub calls: BTreeMap<i32, Refused>,
    /// calls with other numbers, of which there were more than are told apart
    pub others: u64,
}

/// One system call that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// the error that it was answered with
    pub errno: i32,
    /// how often
    pub times: u64,
    /// the first arguments that it was made with, those alike in the first three left out
    pub arguments: Vec<[u64; 6]>,
}

impl Refusals {
    fn add(&mut self, asked: &Asked, errno: i32) {
        if !self.calls.contains_key(&asked.number) && self.calls.len() >= CALLS_MAX {
            self.others += 1;
            return;
        }
        let call = self.calls.entry(asked.number).or_default();
        call.errno = errno;
        call.times += 1;
        let known = |it: &[u64; 6]| it[..3] == asked.arguments[..3];
        if call.arguments.len() < EXAMPLES_MAX && !call.arguments.iter().any(known) {
            call.arguments.push(asked.arguments);
        }
    }
}

/// Answers a job's filter.
#[derive(Debug)]
pub(super) struct Listener {
    filter: OwnedFd,
    program: Program,
    refusals: Refusals,
    /// whether there is more than the file has
    news: bool,
    written: Instant,
    /// calls that may be answered now; refilled by time
    tokens: u32,
    refilled: Instant,
}

impl Listener {
    /// Of the filter that was made of `program`.
    pub(super) fn new(filter: OwnedFd, program: &[u8]) -> Listener {
        let now = Instant::now();
        Listener {
            filter,
            program: Program::of(program),
            refusals: Refusals::default(),
            news: false,
            written: now,
            tokens: RATE,
            refilled: now,
        }
    }

    /// How long the job has to wait before more is answered; none where it has not.
    pub(super) fn pause(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let since = now.duration_since(self.refilled).as_millis();
        let more = u32::try_from(since * u128::from(RATE) / 1000).unwrap_or(RATE);
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(RATE);
            self.refilled = now;
        }
        (self.tokens == 0).then_some(Duration::from_millis(10))
    }

    /// Answers the next call.
    pub(super) fn answer_next(&mut self) -> io::Result<()> {
        let asked = match next(&self.filter) {
            // Whoever asked was killed meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        };
        self.tokens = self.tokens.saturating_sub(1);
        // What this process does not understand is refused as well: there is no answer that makes a call.
        let errno = match self
            .program
            .verdict(asked.number, asked.architecture, &asked.arguments)
        {
            Verdict::Refused(errno) => errno,
            Verdict::Other => libc::EPERM,
        };
        self.refusals.add(&asked, errno);
        self.news = true;
        match answer(&self.filter, asked.id, errno) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
            _ => {}
        }
        if self.written.elapsed() > WRITTEN_EVERY {
            self.write()?;
        }
        Ok(())
    }

    /// Writes what there is, whole or not at all.
    pub(super) fn write(&mut self) -> io::Result<()> {
        self.written = Instant::now();
        if !std::mem::take(&mut self.news) {
            return Ok(());
        }
        let aside = format!("{REFUSED_FILE}.tmp");
        let text = serde_json::to_vec(&self.refusals).map_err(io::Error::other)?;
        fs::write(&aside, text).and_then(|()| fs::rename(&aside, REFUSED_FILE))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.filter.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(number: i32, first: u64) -> Asked {
        Asked {
            id: 0,
            number,
            architecture: 0,
            arguments: [first, 0, 0, 7, 8, 9],
        }
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_is_asked() {
        let mut refusals = Refusals::default();
        for first in 0..1000 {
            refusals.add(&asked(101, first), libc::EPERM);
        }
        for number in 1000..10_000 {
            refusals.add(&asked(number, 0), libc::ENOSYS);
        }
        let ptrace = &refusals.calls[&101];
        assert_eq!((ptrace.times, ptrace.arguments.len()), (1000, EXAMPLES_MAX));
        assert_eq!(refusals.calls.len(), CALLS_MAX);
        assert_eq!(refusals.others, 9000 - (CALLS_MAX as u64 - 1));
        let mut worst = Refusals::default();
        for number in 0..CALLS_MAX as i32 {
            for first in 0..EXAMPLES_MAX as u64 {
                let arguments = [u64::MAX - first; 6];
                worst.add(
                    &Asked {
                        arguments,
                        ..asked(i32::MIN + number, 0)
                    },
                    libc::EPERM,
                );
            }
        }
        let bytes = serde_json::to_vec(&worst).expect("plain data").len();
        assert!(bytes < 1 << 20, "{bytes}");
    }
}
