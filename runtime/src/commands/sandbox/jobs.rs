//! `gradus sandbox ps`, `logs`, `kill`, `inspect`, `gc`.

use super::{CommandError, print};
use crate::cli::sandbox::{KillArgs, LogsArgs, PsArgs};
use crate::exit::Exit;
use gradus_sandbox::logs::{Reader, Stream, shown};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::Sandbox;
use gradus_sandbox::state::{Phase, Record};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

/// A job on one line.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    state: &'static str,
    /// its first process, as the host sees it
    pid: Option<i32>,
    outcome: Option<&'a Outcome>,
}

fn row(record: &Record) -> Row<'_> {
    let (state, outcome) = match &record.phase {
        Phase::Starting => ("starting", None),
        Phase::Running => ("running", None),
        Phase::Ended(ended) => ("ended", Some(&ended.outcome)),
        Phase::Lost => ("lost", None),
    };
    let pid = record.processes.as_ref().map(|processes| processes.init);
    Row {
        name: &record.name,
        state,
        pid,
        outcome,
    }
}

pub(super) fn list(sandbox: &Sandbox, arguments: &PsArgs) -> Result<Exit, CommandError> {
    let records = sandbox.jobs()?;
    let rows: Vec<Row<'_>> = records
        .iter()
        .map(row)
        .filter(|row| arguments.all || row.outcome.is_none())
        .collect();
    if arguments.json {
        print(&(serde_json::to_string_pretty(&rows).expect("plain data") + "\n"))?;
        return Ok(Exit::Done);
    }
    let width = rows
        .iter()
        .map(|row| row.name.len())
        .max()
        .unwrap_or(0)
        .max(4);
    let mut text = format!("{:width$}  {:8}  {:>9}  ended\n", "name", "state", "pid");
    for row in &rows {
        let pid = row.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let ended = row.outcome.map(Outcome::to_string).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:width$}  {:8}  {pid:>9}  {ended}",
            row.name, row.state
        );
    }
    print(&text)?;
    Ok(Exit::Done)
}

pub(super) fn logs(sandbox: &Sandbox, arguments: &LogsArgs) -> Result<Exit, CommandError> {
    let failed = |source| CommandError::Io {
        what: format!("output of job {:?}", arguments.name),
        source,
    };
    // Names it if there is no such job.
    sandbox.state().record(&arguments.name)?;
    let mut reader = Reader::open(&sandbox.state().directory(&arguments.name))
        .map_err(|error| failed(io::Error::other(error)))?;
    loop {
        // Before the last look at the output: what is printed in between is seen.
        let over = !arguments.follow
            || !matches!(
                sandbox.state().record(&arguments.name)?.phase,
                Phase::Starting | Phase::Running
            );
        while let Some(record) = reader
            .next_record()
            .map_err(|error| failed(io::Error::other(error)))?
        {
            let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
            if record.missing > 0 {
                let _ = writeln!(stderr, "[{} bytes were not kept]", record.missing);
            }
            let bytes = if arguments.raw {
                record.bytes
            } else {
                shown(&record.bytes).into_bytes()
            };
            let _ = match record.stream {
                Stream::Output => stdout.write_all(&bytes).and_then(|()| stdout.flush()),
                Stream::Errors => stderr.write_all(&bytes),
            };
        }
        if over {
            return Ok(Exit::Done);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(super) fn kill(sandbox: &Sandbox, arguments: &KillArgs) -> Result<Exit, CommandError> {
    sandbox.kill(&arguments.name, KillReason::Cancelled, arguments.grace)?;
    let ended = sandbox.wait(&arguments.name)?;
    print(&format!("{}: {}\n", arguments.name, ended.outcome))?;
    Ok(Exit::Done)
}

pub(super) fn inspect(sandbox: &Sandbox, name: &str) -> Result<Exit, CommandError> {
    let record = sandbox.state().record(name)?;
    let ended = match &record.phase {
        Phase::Ended(ended) => Some(ended),
        _ => None,
    };
    let value = serde_json::json!({
        "name": name,
        "state": row(&record).state,
        "processes": record.processes,
        "ended": ended,
        "plan": sandbox.state().plan(name)?,
    });
    print(&format!("{value:#}\n"))?;
    Ok(Exit::Done)
}

/// Removes what has ended, and says what.
pub(super) fn collect_garbage(sandbox: &Sandbox) -> Result<Exit, CommandError> {
    sandbox.recover()?;
    for job in sandbox.jobs()? {
        if let Phase::Ended(ended) = job.phase {
            sandbox.remove(&job.name)?;
            print(&format!("{}: {}\n", job.name, ended.outcome))?;
        }
    }
    Ok(Exit::Done)
}
