//! Commands that judge a submission's source: started with a time limit, and their end is a verdict.
//!
//! | how it ends | is |
//! |---|---|
//! | code 0 | clean |
//! | any other code | rejected |
//! | not in time | rejected for that; its process group is killed |
//! | by a signal, or it never started | this host's failure: no verdict |
//!
//! No shell is involved. A checker sees the arguments of the rule set, with the submission's address or checked-out directory
//! and its commit in their places, and a few variables of the environment: this program's other variables hold secrets. A
//! secret among the arguments is refused before anything starts, since every process of a machine can read them.

use gradus_tasks::Owner;
use gradus_tasks::entry::{CheckVerdict, Commit};
use gradus_tasks::rules::ObfuscationRules;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How much is kept of what a checker prints, bytes; the rest is read and dropped.
pub const OUTPUT_BYTES_MAX: usize = 65_536;
/// How often a checker is asked whether it has ended.
const EXIT_POLL: Duration = Duration::from_millis(5);
/// How long output may still arrive after the last process of the group is gone: somebody who left it may hold the pipe.
const DRAIN: Duration = Duration::from_millis(200);
/// What a checker sees of the environment.
const VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE"];

/// A program that judges sources.
#[derive(Clone, Debug)]
pub struct Checker {
    program: OsString,
    arguments: Vec<String>,
    limit: Duration,
}

/// What a checker said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its verdict.
    pub verdict: CheckVerdict,
    /// What it printed, as it came, at most [`OUTPUT_BYTES_MAX`] bytes; printable characters and line ends only.
    pub output: String,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum CheckerError {
    /// It did not start.
    #[error(
        "the checker {program} cannot be started\nhelp: check its path and that it may be executed"
    )]
    Start {
        /// Which.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be watched.
    #[error("the checker {program} cannot be watched")]
    Watch {
        /// Which.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A signal ended it.
    #[error(
        "the checker {program} was ended by signal {signal}\nhelp: see whether memory ran out, and run it again"
    )]
    Killed {
        /// Which.
        program: String,
        /// The signal's number.
        signal: i32,
    },
    /// A secret would be seen by everybody.
    #[error(
        "a secret would be among the arguments of the checker {program}, where every process can read it\nhelp: check out the source, and give the directory"
    )]
    Secret {
        /// Which.
        program: String,
    },
}

impl CheckerError {
    /// Whose fault: a checker that gives no verdict says nothing about the submission.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Secret { .. } => Owner::Bug,
            _ => Owner::Host,
        }
    }
}

impl Checker {
    /// A checker with arguments and time limit of the rules.
    pub fn new(program: impl Into<OsString>, rules: &ObfuscationRules) -> Self {
        let limit = Duration::from_secs(u64::from(rules.limit_s));
        Self::with_limit(program, rules.arguments.clone(), limit)
    }

    /// A checker whose arguments are these: `{repo}` and `{commit}` stand for the submission's.
    pub fn with_limit(
        program: impl Into<OsString>,
        arguments: Vec<String>,
        limit: Duration,
    ) -> Self {
        Self {
            program: program.into(),
            arguments,
            limit,
        }
    }

    /// Runs it over one source, and waits.
    ///
    /// * `repo`: its address, or the directory that it is checked out to
    /// * `secrets`: what must not be among the arguments
    ///
    /// # Errors
    /// `Secret`, `Start`, `Watch`, `Killed`: no verdict, and the submission is not to blame.
    pub fn check(
        &self,
        repo: &str,
        commit: &Commit,
        secrets: &[&str],
    ) -> Result<Checked, CheckerError> {
        let program = || self.program.to_string_lossy().into_owned();
        let commit = commit.to_string();
        let arguments: Vec<String> = (self.arguments.iter())
            .map(|word| match word.as_str() {
                "{repo}" => repo.to_owned(),
                "{commit}" => commit.clone(),
                _ => word.clone(),
            })
            .collect();
        let holds = |secret: &&str| {
            !secret.is_empty() && arguments.iter().any(|word| word.contains(*secret))
        };
        if secrets.iter().any(holds) {
            return Err(CheckerError::Secret { program: program() });
        }
        let mut command = Command::new(&self.program);
        command
            .args(&arguments)
            .env_clear()
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for name in VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let deadline = Instant::now() + self.limit;
        let child = command.spawn().map_err(|source| CheckerError::Start {
            program: program(),
            source,
        })?;
        let watch = |source| CheckerError::Watch {
            program: program(),
            source,
        };
        let mut group = Group {
            child,
            reaped: false,
        };
        let output = Output::default();
        output.collect(group.child.stdout.take().expect("piped"));
        output.collect(group.child.stderr.take().expect("piped"));
        let ended = loop {
            if group.has_ended().map_err(watch)? {
                break true;
            }
            if Instant::now() >= deadline {
                break false;
            }
            std::thread::sleep(EXIT_POLL);
        };
        let status = group.end().map_err(watch)?;
        let verdict = match (ended, status.code(), status.signal()) {
            (false, _, _) => CheckVerdict::TimedOut {
                limit_ms: u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX),
            },
            (true, Some(0), _) => CheckVerdict::Clean,
            (true, Some(code), _) => CheckVerdict::Rejected { code },
            (true, None, signal) => {
                return Err(CheckerError::Killed {
                    program: program(),
                    signal: signal.unwrap_or(0),
                });
            }
        };
        Ok(Checked {
            verdict,
            output: output.text(),
        })
    }
}

/// What a checker printed, from both pipes. A thread holds a clone for as long as its pipe is open.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn collect(&self, mut pipe: impl Read + Send + 'static) {
        let kept = self.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                let mut bytes = kept.0.lock().expect("nobody panics with it");
                let room = OUTPUT_BYTES_MAX - bytes.len();
                bytes.extend_from_slice(&buffer[..read.min(room)]);
            }
        });
    }

    fn text(&self) -> String {
        let until = Instant::now() + DRAIN;
        while Arc::strong_count(&self.0) > 1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let bytes = self.0.lock().expect("nobody panics with it");
        String::from_utf8_lossy(&bytes)
            .chars()
            .filter(|character| *character == '\n' || !character.is_control())
            .collect()
    }
}

/// A started checker. Nothing of its process group outlives this; the checker itself is reaped last, so that the group's
/// number stays its own.
struct Group {
    child: Child,
    reaped: bool,
}

impl Group {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether the checker has ended; leaves it to be reaped.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.pid()), options)?.is_some())
    }

    /// Kills what is left of the group, and reaps the checker.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // Fails only if nothing is left to kill.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        self.reaped = true;
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.end();
        }
    }
}

#[cfg(test)]
mod tests;
