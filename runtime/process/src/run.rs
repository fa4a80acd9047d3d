//! What a program is given, what may be had of it, and how it ended.

use crate::group::{Doing, Group};
use crate::output::{Capture, Excess, Output};
use gradus_owner::Owner;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a program is asked whether it has ended.
const EXIT_POLL: Duration = Duration::from_millis(5);

/// How a program is run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What is on its standard input, before that ends. It need not be read.
    pub input: Vec<u8>,
    /// What of it is read.
    pub capture: Capture,
    /// How much of that is kept, bytes.
    pub output_bytes_max: usize,
    /// What becomes of more.
    pub excess: Excess,
    /// From its start to its end.
    pub time_limit: Duration,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that is not ours.
    Signal(i32),
    /// Killed: it did not end in time.
    TimeLimit,
    /// Killed: it printed more than is kept, and [`Excess::End`] was asked for.
    OutputLimit,
    /// Killed: it asked at a terminal. In a group of its own it has none, and would wait for ever.
    WantedTerminal,
    /// Killed: whoever waited for it does not any more.
    Stopped,
}

/// A program that has ended, with all of its process group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub end: End,
    /// What it printed, at most as much as was asked for.
    pub output: Vec<u8>,
    /// Whether it printed more.
    pub exceeded: bool,
}

/// Why a program was not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start.
    #[error("it cannot be started: check its path and that it may be executed")]
    Start(#[source] io::Error),
    /// Nobody can say how it ended.
    #[error("it cannot be watched")]
    Watch(#[source] io::Error),
}

impl RunError {
    /// Whose fault: this machine's, or who named the program.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Run {
    /// Starts a program, and waits until it has ended or a limit ends it. What is left of its process group is killed then, so
    /// that no child of it lives on.
    ///
    /// * `command`: program, arguments and environment; its pipes and its process group are set here
    ///
    /// # Errors
    /// [`RunError`]. What a program does is no error, but an [`End`].
    pub fn execute(&self, command: &mut Command) -> Result<Ended, RunError> {
        self.execute_unless(command, || false)
    }

    /// As [`Run::execute`], and ends the program early, as at a limit, once `stopped` says so.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn execute_unless(
        &self,
        command: &mut Command,
        stopped: impl Fn() -> bool,
    ) -> Result<Ended, RunError> {
        let started = Instant::now();
        command
            .stdin(match self.input.is_empty() {
                true => Stdio::null(),
                false => Stdio::piped(),
            })
            .stdout(Stdio::piped())
            .stderr(match self.capture {
                Capture::Stdout => Stdio::inherit(),
                Capture::Both => Stdio::piped(),
            });
        let mut group = Group::start(command).map_err(RunError::Start)?;
        let output = Output::new(self.output_bytes_max);
        let leader = group.leader();
        output.collect(leader.stdout.take().expect("piped"));
        if let Some(stderr) = leader.stderr.take() {
            output.collect(stderr);
        }
        if let Some(mut stdin) = leader.stdin.take() {
            let input = self.input.clone();
            // Who does not read ends at the limit, and the pipe breaks then.
            std::thread::spawn(move || stdin.write_all(&input));
        }
        let stopped = loop {
            match group.doing().map_err(RunError::Watch)? {
                Doing::Runs => {}
                Doing::WantsTerminal => break Some(End::WantedTerminal),
                Doing::Ended => break None,
            }
            if self.excess == Excess::End && output.exceeded() {
                break Some(End::OutputLimit);
            }
            if stopped() {
                break Some(End::Stopped);
            }
            if started.elapsed() >= self.time_limit {
                break Some(End::TimeLimit);
            }
            std::thread::sleep(EXIT_POLL);
        };
        let status = group.end().map_err(RunError::Watch)?;
        let kept = output.take();
        let end = match (stopped, self.excess, kept.exceeded) {
            (Some(stopped), _, _) => stopped,
            // Its last words may have been too many.
            (None, Excess::End, true) => End::OutputLimit,
            (None, _, _) => End::of(status),
        };
        Ok(Ended {
            end,
            output: kept.bytes,
            exceeded: kept.exceeded,
        })
    }
}

impl End {
    fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => Self::Code(code),
            // Without a code it was a signal: nobody asked for programs that are only stopped.
            None => Self::Signal(status.signal().unwrap_or_default()),
        }
    }
}
