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

use gradus_process::{Capture, End, Excess, Run, RunError};
use gradus_tasks::Owner;
use gradus_tasks::entry::{CheckVerdict, Commit};
use gradus_tasks::rules::ObfuscationRules;
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

/// How much is kept of what a checker prints, bytes; the rest is read and dropped.
pub const OUTPUT_BYTES_MAX: usize = 65_536;
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
    /// It was not run to its end.
    #[error("the checker {program} gave no verdict")]
    Run {
        /// Which.
        program: String,
        /// Why.
        #[source]
        source: RunError,
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
    /// It asked somebody.
    #[error(
        "the checker {program} asked at a terminal, which it does not have\nhelp: give it what it asks for by its own configuration"
    )]
    Terminal {
        /// Which.
        program: String,
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
            Self::Run { source, .. } => source.owner(),
            Self::Killed { .. } | Self::Terminal { .. } => Owner::Host,
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
    /// `Secret`, `Run`, `Killed`, `Terminal`: no verdict, and the submission is not to blame.
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
            .env("GIT_TERMINAL_PROMPT", "0");
        for name in VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let run = Run {
            input: Vec::new(),
            capture: Capture::Both,
            output_bytes_max: OUTPUT_BYTES_MAX,
            excess: Excess::Drop,
            time_limit: self.limit,
        };
        let ended = run
            .execute(&mut command)
            .map_err(|source| CheckerError::Run {
                program: program(),
                source,
            })?;
        let verdict = match ended.end {
            End::Code(0) => CheckVerdict::Clean,
            End::Code(code) => CheckVerdict::Rejected { code },
            End::TimeLimit => CheckVerdict::TimedOut {
                limit_ms: u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX),
            },
            End::Signal(signal) => {
                let program = program();
                return Err(CheckerError::Killed { program, signal });
            }
            End::WantedTerminal => return Err(CheckerError::Terminal { program: program() }),
            End::OutputLimit | End::Stopped => {
                unreachable!("more output is dropped, and nobody stops it")
            }
        };
        let output = String::from_utf8_lossy(&ended.output)
            .chars()
            .filter(|character| *character == '\n' || !character.is_control())
            .collect();
        Ok(Checked { verdict, output })
    }
}

#[cfg(test)]
mod tests;
