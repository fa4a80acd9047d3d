//! A command that signs: one JSON line in, one out, within a time limit, and no signature is believed before it verifies.
//!
//! ```text
//! stdin   {"version":1,"account":"5Dfh…","payload":"0x…","message":"0x…"}
//! stdout  {"version":1,"signature":"0x…"}   or   {"version":1,"refused":"why"}
//! ```
//!
//! `payload` is the whole extrinsic payload, so that the command can refuse calls it does not know; `message` is what the signature is over.
//! No shell is involved. The command runs in a process group of its own, which is killed at the limit and when this program is asked to stop; what is
//! left of it when the command has ended is killed too, and nobody waits for an output that a child of it holds open.

use super::{SignError, SignRequest, Signer, same_account};
use crate::{AccountId, Signature, hex};
use gradus_process::{Capture, End, Excess, Run, RunError};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The longest answer, in bytes.
pub const RESPONSE_BYTES_MAX: usize = 4_096;
/// The version of both lines.
const PROTOCOL_VERSION: u32 = 1;

/// A command that holds one account's key.
#[derive(Clone, Debug)]
pub struct CommandSigner {
    account: AccountId,
    program: OsString,
    arguments: Vec<OsString>,
    time_limit: Duration,
    stopped: Option<&'static AtomicBool>,
}

/// Why a command gave no signature.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It was not run to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Too slow.
    #[error(
        "it did not end within {limit_ms} ms, and was killed: give it longer if a person has to confirm, --signer-timeout"
    )]
    TimeLimit {
        /// The limit, milliseconds.
        limit_ms: u128,
    },
    /// It asked somebody who is not there.
    #[error(
        "it asked at a terminal, which it does not have, and was killed: let it ask in a window or by its own device, or unlock it before"
    )]
    Terminal,
    /// Nobody waits for it any more.
    #[error("it was killed before it answered, since this program was asked to stop")]
    Stopped,
    /// It failed.
    #[error("it ended with {status}: its own log says why")]
    Failed {
        /// Its code or the signal that ended it.
        status: String,
    },
    /// Too long.
    #[error(
        "its answer has more than {RESPONSE_BYTES_MAX} bytes: it must print one line of JSON to stdout, logs belong on stderr"
    )]
    TooLong,
    /// Not an answer.
    #[error(
        "its answer is not {{\"version\":1}} with either \"signature\", 64 bytes in hexadecimal, or \"refused\", a text: logs belong on stderr"
    )]
    Malformed,
    /// Another version.
    #[error(
        "its answer has version {found}, this program speaks {PROTOCOL_VERSION}: update the older of the two"
    )]
    Version {
        /// The answer's.
        found: u32,
    },
    /// It does not want to.
    #[error("it refuses to sign: {reason}")]
    Refused {
        /// What it says, printable.
        reason: String,
    },
    /// A signature of something else.
    #[error(
        "its signature is not {account}'s over the message: it holds another key, or signs other bytes"
    )]
    WrongSignature {
        /// Who should have signed.
        account: AccountId,
    },
}

#[derive(Serialize)]
struct RequestLine {
    version: u32,
    account: AccountId,
    payload: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseLine {
    version: u32,
    signature: Option<String>,
    refused: Option<String>,
}

/// What a command answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// A signature, not yet verified.
    Signature(Signature),
    /// A refusal, in printable characters.
    Refused(String),
}

impl Response {
    /// Reads one answer.
    ///
    /// # Errors
    /// `TooLong`, `Malformed`, `Version`.
    pub fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        if bytes.len() > RESPONSE_BYTES_MAX {
            return Err(CommandError::TooLong);
        }
        let line: ResponseLine =
            serde_json::from_slice(bytes).map_err(|_| CommandError::Malformed)?;
        if line.version != PROTOCOL_VERSION {
            return Err(CommandError::Version {
                found: line.version,
            });
        }
        match (line.signature, line.refused) {
            (Some(text), None) => {
                let bytes = hex::decode(&text).ok_or(CommandError::Malformed)?;
                Ok(Self::Signature(Signature(bytes)))
            }
            (None, Some(reason)) => Ok(Self::Refused(
                reason
                    .chars()
                    .filter(|character| !character.is_control())
                    .collect(),
            )),
            _ => Err(CommandError::Malformed),
        }
    }
}

impl CommandSigner {
    /// A signer for `account` that runs `program` with `arguments` for each request and waits `time_limit` at most.
    pub fn new(
        account: AccountId,
        program: impl Into<OsString>,
        arguments: Vec<OsString>,
        time_limit: Duration,
    ) -> Self {
        Self {
            account,
            program: program.into(),
            arguments,
            time_limit,
            stopped: None,
        }
    }

    /// The same, whose command is killed once `stopped` is set.
    pub fn until(self, stopped: &'static AtomicBool) -> Self {
        Self {
            stopped: Some(stopped),
            ..self
        }
    }

    fn ask(&self, request: &SignRequest) -> Result<Signature, CommandError> {
        let message = request.message();
        let line = RequestLine {
            version: PROTOCOL_VERSION,
            account: self.account,
            payload: hex::encode(request.payload()),
            message: hex::encode(&message),
        };
        let mut line = serde_json::to_vec(&line).expect("texts and a number");
        line.push(b'\n');
        match Response::parse(&self.run(line)?)? {
            Response::Refused(reason) => Err(CommandError::Refused { reason }),
            Response::Signature(signature) if self.account.verifies(&message, &signature) => {
                Ok(signature)
            }
            Response::Signature(_) => Err(CommandError::WrongSignature {
                account: self.account,
            }),
        }
    }

    /// Runs the command over one line; its output, if it ended well and in time.
    fn run(&self, line: Vec<u8>) -> Result<Vec<u8>, CommandError> {
        let run = Run {
            input: line,
            capture: Capture::Stdout,
            output_bytes_max: RESPONSE_BYTES_MAX,
            excess: Excess::End,
            time_limit: self.time_limit,
        };
        let stopped = || self.stopped.is_some_and(|flag| flag.load(Ordering::SeqCst));
        let mut command = Command::new(&self.program);
        let ended = run.execute_unless(command.args(&self.arguments), stopped)?;
        let failed = |status| Err(CommandError::Failed { status });
        match ended.end {
            End::Code(0) => Ok(ended.output),
            End::Code(code) => failed(format!("code {code}")),
            End::Signal(signal) => failed(format!("signal {signal}")),
            End::OutputLimit => Err(CommandError::TooLong),
            End::WantedTerminal => Err(CommandError::Terminal),
            End::Stopped => Err(CommandError::Stopped),
            End::TimeLimit => Err(CommandError::TimeLimit {
                limit_ms: self.time_limit.as_millis(),
            }),
        }
    }
}

impl Signer for CommandSigner {
    fn account(&self) -> AccountId {
        self.account
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }

    fn sign_request(&self, request: &SignRequest) -> Result<Signature, SignError> {
        same_account(request, self.account)?;
        self.ask(request).map_err(|source| SignError::Command {
            program: self.program.to_string_lossy().into_owned(),
            source,
        })
    }
}
