//! Which system calls a job was refused, for whoever wants to know why it fails: where it was started so
//! ([`record_refused`](crate::job::Job::record_refused)), its watcher writes them down and refuses them itself.

use std::fs;
use std::io;
use std::path::Path;

use gradus_jail::watcher::refusals::{REFUSED_FILE, Refusals};
use serde::Serialize;

use crate::seccomp::Architecture;
use crate::seccomp::numbers::Numbers;

/// A system call that a job was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedCall {
    /// its name, if it has one
    pub call: Option<&'static str>,
    /// its number
    pub number: i32,
    /// what the job was told: `EPERM`, `ENOSYS`
    pub answer: String,
    /// how often
    pub times: u64,
    /// some of the arguments that it was made with
    pub arguments: Vec<[u64; 6]>,
}

/// What the job in `directory` was refused so far, the most frequent first; none where that is not written down.
///
/// # Errors
/// If it cannot be read, or is no such record.
pub fn refused(directory: &Path) -> io::Result<Option<Vec<RefusedCall>>> {
    let text = match fs::read(directory.join(REFUSED_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let refusals: Refusals = serde_json::from_slice(&text)?;
    let numbers = Architecture::host().ok().map(Numbers::of);
    let mut calls: Vec<RefusedCall> = refusals
        .calls
        .into_iter()
        .map(|(number, refused)| RefusedCall {
            call: numbers
                .as_ref()
                .and_then(|numbers| numbers.name(u32::try_from(number).ok()?)),
            number,
            answer: match refused.errno {
                1 => "EPERM".to_owned(),
                38 => "ENOSYS".to_owned(),
                errno => io::Error::from_raw_os_error(errno).to_string(),
            },
            times: refused.times,
            arguments: refused.arguments,
        })
        .collect();
    calls.sort_by(|one, other| {
        other
            .times
            .cmp(&one.times)
            .then(one.number.cmp(&other.number))
    });
    if refusals.others > 0 {
        calls.push(RefusedCall {
            call: None,
            number: -1,
            answer: "ENOSYS or EPERM".to_owned(),
            times: refusals.others,
            arguments: Vec::new(),
        });
    }
    Ok(Some(calls))
}
