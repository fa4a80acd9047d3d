//! `gradus sandbox ps`, `logs`, `kill`, `inspect`, `gc`.

use super::gpus::{Gpus, notes_of};
use super::{CommandError, print};
use crate::cli::sandbox::{GcArgs, KillArgs, LogsArgs, PsArgs};
use crate::exit::Exit;
use gradus_sandbox::guarantees::guarantees;
use gradus_sandbox::logs::{Lines, Reader, Stream};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::{Sandbox, SandboxError};
use gradus_sandbox::state::{Phase, Record, StateError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

/// How often a followed job's output is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A job on one line.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    state: &'static str,
    /// its first process, as the host sees it
    pid: Option<i32>,
    outcome: Option<&'a Outcome>,
    /// whether its outputs wait to be taken
    outputs_wait: bool,
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
        outputs_wait: record.outputs_wait,
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
    // Names it if there is no such job.
    sandbox.state().record(&arguments.name)?;
    let mut reader = Reader::open(&sandbox.state().directory(&arguments.name))?;
    let mut lines = Lines::new();
    loop {
        // Before the last look at the output: what is printed in between is seen.
        let over = !arguments.follow
            || !matches!(
                sandbox.state().record(&arguments.name)?.phase,
                Phase::Starting | Phase::Running
            );
        while let Some(record) = reader.next()? {
            if arguments.raw {
                let _ = match record.stream {
                    Stream::Output => io::stdout().write_all(&record.bytes),
                    Stream::Errors => io::stderr().write_all(&record.bytes),
                };
                continue;
            }
            let mut text = String::new();
            lines.push(&record, &mut text);
            print(&text)?;
        }
        if over {
            let mut text = String::new();
            lines.finish(&mut text);
            print(&text)?;
            return Ok(Exit::Done);
        }
        if reader_is_gone() {
            return Ok(Exit::Done);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Whether nobody will read standard output any more; a job may print nothing for hours, and then it would not be noticed.
fn reader_is_gone() -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().contains(PollFlags::ERR)
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
    let plan = sandbox.state().plan(name)?;
    let guarantees = plan
        .as_ref()
        .map(|plan| guarantees(plan, record.processes.as_ref()));
    let value = serde_json::json!({
        "name": name,
        "state": row(&record).state,
        "processes": record.processes,
        "ended": ended,
        "outputs_wait": record.outputs_wait,
        "guarantees": guarantees,
        "gpus": notes_of(sandbox, name),
        "plan": plan,
    });
    print(&format!("{value:#}\n"))?;
    Ok(Exit::Done)
}

/// Removes what has ended, and says what. Outputs that nobody has taken are kept, unless they are asked for.
pub(super) fn collect_garbage(
    sandbox: &Sandbox,
    gpus: &Gpus<'_>,
    arguments: &GcArgs,
) -> Result<Exit, CommandError> {
    // What cannot be recovered, for want of room perhaps, must not keep the rest.
    let recovered = sandbox.recover();
    // After it: jobs whose watcher died have ended now. Before they are removed, with their notes.
    let returned = gpus.recover();
    // Builds that were killed: their commands run on otherwise.
    for name in gradus_builder::sweep(sandbox)? {
        print(&format!("{name}: of a build that was killed\n"))?;
    }
    let jobs = sandbox.jobs()?;
    let (kept, removed): (Vec<&Record>, Vec<&Record>) = jobs
        .iter()
        .filter(|job| matches!(job.phase, Phase::Ended(_) | Phase::Lost))
        .partition(|job| job.outputs_wait && !arguments.outputs);
    for job in kept {
        let name = &job.name;
        print(&format!(
            "{name}: kept, its outputs wait; --outputs removes them too\n"
        ))?;
    }
    // Their watchers end at the same time.
    for job in &removed {
        missing_is_fine(sandbox.release(&job.name))?;
    }
    for job in removed {
        let outcome = match &job.phase {
            Phase::Ended(ended) => &ended.outcome,
            _ => &Outcome::Lost,
        };
        missing_is_fine(sandbox.remove(&job.name))?;
        print(&format!("{}: {outcome}\n", job.name))?;
    }
    super::images::release(sandbox)?;
    recovered?;
    returned?;
    Ok(Exit::Done)
}

/// Somebody else has removed it a moment ago.
fn missing_is_fine(result: Result<(), SandboxError>) -> Result<(), SandboxError> {
    match result {
        Err(SandboxError::State(StateError::Missing(_))) => Ok(()),
        other => other,
    }
}
