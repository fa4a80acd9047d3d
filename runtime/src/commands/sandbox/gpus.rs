//! GPUs of jobs: what `gradus sandbox run --gpu` does besides, and `gradus sandbox gpus`.

use super::tell::Teller;
use super::{CommandError, print};
use crate::cli::sandbox::{GpusArgs, GpusCommand, KeepArgs, RunArgs};
use crate::device::StateDir;
use crate::device::management::Management;
use crate::exit::Exit;
use gradus_sandbox::gpu::driver::Driver;
use gradus_sandbox::gpu::holds::Hold;
use gradus_sandbox::gpu::keeper::{self, Settings, keep};
use gradus_sandbox::gpu::notes::{self, Note};
use gradus_sandbox::gpu::quarantine::Record;
use gradus_sandbox::gpu::{GpuError, Grant, Granted, Holds, Nvml, Request};
use gradus_sandbox::sandbox::Sandbox;
use serde::Serialize;
use std::fmt::Write as _;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The host's GPUs, for jobs of one state directory.
pub(super) struct Gpus<'a> {
    sandbox: &'a Sandbox,
    pub(super) root: &'a Path,
    pub(super) holds: Holds,
    pub(super) nvml: Management,
}

impl<'a> Gpus<'a> {
    /// With the driver below `root`. Holds are where evaluations have their leases, for all state directories of jobs.
    pub(super) fn of(sandbox: &'a Sandbox, root: &'a Path) -> Self {
        let shared = StateDir::from_environment();
        let folder = match &shared {
            Some(state) => state.path(),
            None => sandbox.state().root(),
        };
        Self {
            sandbox,
            root,
            holds: Holds::at(folder),
            nvml: Management::of(root),
        }
    }

    /// What the arguments ask for, found but not taken; none if they ask for none.
    pub(super) fn find(&self, arguments: &RunArgs) -> Result<Granted, CommandError> {
        let requests: Vec<Request> = arguments
            .gpus
            .iter()
            .map(|uuid| Request {
                uuid: uuid.clone(),
                memory_bytes: arguments.gpu_memory.map(|bytes| bytes.0),
            })
            .collect();
        Ok(Granted::find(
            Driver::find(self.root)?,
            &self.nvml,
            &requests,
        )?)
    }

    pub(super) fn take(&self, granted: Granted, job: &str) -> Result<Grant, CommandError> {
        let state = self.sandbox.state().root();
        Ok(self.holds.take(granted, &self.nvml, state, job)?)
    }

    /// Starts the keeper of the job `name`: a process that outlives this one, and that Ctrl-C does not reach.
    pub(super) fn start_keeper(&self, name: &str, wait: Duration) -> Result<Child, CommandError> {
        let program = std::env::current_exe().map_err(|source| CommandError::Io {
            what: "the path of this program".to_owned(),
            source,
        })?;
        Command::new(program)
            .args(["sandbox", "--state"])
            .arg(self.sandbox.state().root())
            .args(["keep-gpus", "--driver-root"])
            .arg(self.root)
            .arg("--gpu-wait")
            .arg(format!("{}ms", wait.as_millis()))
            .arg(name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| CommandError::Io {
                what: format!("a keeper for the GPUs of job {name:?}"),
                source,
            })
    }

    /// Takes up what nobody looks after.
    pub(super) fn recover(&self) -> Result<(), CommandError> {
        // A host without GPUs is asked nothing.
        if self.holds.list()?.is_empty() {
            return Ok(());
        }
        let teller = Teller::new();
        let mut tell = |note: &Note| say(teller, note);
        let settings = Settings::default();
        let running = keeper::recover(self.sandbox, &self.holds, &self.nvml, settings, &mut tell)?;
        for name in running {
            self.start_keeper(&name, settings.patience)?;
            print(&format!("{name}: its GPUs are watched again\n"))?;
        }
        Ok(())
    }
}

fn say(teller: Teller, note: &Note) {
    if note.seen.is_alarm() {
        teller.note(&note.to_string());
    }
}

/// What a job's keeper has noted; alarms are told.
pub(super) fn notes_of(sandbox: &Sandbox, name: &str) -> Vec<Note> {
    notes::read(&sandbox.state().directory(name))
}

/// Tells of alarms among `notes`.
pub(super) fn tell(teller: Teller, notes: &[Note]) {
    notes.iter().for_each(|note| say(teller, note));
}

/// `gradus sandbox keep-gpus`: the keeper's process.
pub(super) fn keep_gpus(gpus: &Gpus<'_>, arguments: &KeepArgs) -> Result<Exit, CommandError> {
    let settings = Settings {
        patience: arguments.gpu_wait,
        ..Settings::default()
    };
    keep(
        gpus.sandbox,
        &gpus.holds,
        &gpus.nvml,
        &arguments.name,
        settings,
        &mut |_| {},
    )?;
    Ok(Exit::Done)
}

/// A GPU or an instance on one line.
#[derive(Serialize)]
struct Row {
    uuid: String,
    /// the whole GPU, if it is an instance
    of: Option<String>,
    node: Option<String>,
    held: Option<Hold>,
    /// whether somebody looks after the hold
    kept: Option<bool>,
    quarantine: Option<Record>,
    /// it is cut: only its instances can be asked for
    cut: bool,
}

/// `gradus sandbox gpus`.
pub(super) fn gpus(gpus: &Gpus<'_>, arguments: &GpusArgs) -> Result<Exit, CommandError> {
    if let Some(GpusCommand::Release { uuid }) = &arguments.command {
        return match gpus.holds.release(uuid)? {
            true => print(&format!("{uuid}: released\n")).map(|()| Exit::Done),
            false => Err(CommandError::NoQuarantine(uuid.clone())),
        };
    }
    let told = gpus.nvml.gpus();
    let mut rows = rows(gpus, told.as_deref().unwrap_or_default())?;
    for hold in gpus.holds.list()? {
        if !rows.iter().any(|row| row.uuid == hold.uuid) {
            rows.push(row(gpus, &hold.uuid, hold.of.as_deref(), None, false)?);
        }
    }
    for record in gpus.holds.quarantines() {
        if !rows.iter().any(|row| row.uuid == record.uuid) {
            rows.push(row(gpus, &record.uuid, None, None, false)?);
        }
    }
    if let Err(error) = &told {
        Teller::new().note(&format!("no GPUs are shown: {error}"));
    }
    if arguments.json {
        print(&(serde_json::to_string_pretty(&rows).expect("plain data") + "\n"))?;
    } else {
        print(&table(&rows))?;
    }
    Ok(Exit::Done)
}

fn rows(
    gpus: &Gpus<'_>,
    told: &[gradus_sandbox::gpu::told::Told],
) -> Result<Vec<Row>, CommandError> {
    let mut rows = Vec::new();
    for gpu in told {
        rows.push(row(gpus, &gpu.uuid, None, gpu.minor, gpu.cut)?);
        for instance in &gpu.instances {
            rows.push(row(
                gpus,
                &instance.uuid,
                Some(&gpu.uuid),
                gpu.minor,
                false,
            )?);
        }
    }
    Ok(rows)
}

fn row(
    gpus: &Gpus<'_>,
    uuid: &str,
    of: Option<&str>,
    minor: Option<u32>,
    cut: bool,
) -> Result<Row, GpuError> {
    let held = gpus
        .holds
        .list()?
        .into_iter()
        .find(|hold| hold.uuid == uuid);
    Ok(Row {
        uuid: uuid.to_owned(),
        of: of.map(str::to_owned),
        node: minor.map(|minor| format!("/dev/nvidia{minor}")),
        kept: held
            .as_ref()
            .map(|hold| gpus.holds.is_kept(hold))
            .transpose()?,
        held,
        quarantine: gpus.holds.quarantined(uuid),
        cut,
    })
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no GPUs\n".to_owned();
    }
    let name = |row: &Row| match row.of {
        Some(_) => format!("  {}", row.uuid),
        None => row.uuid.clone(),
    };
    let width = rows.iter().map(|row| name(row).len()).max().unwrap_or(4);
    let mut text = format!("{:width$}  {:13}  state\n", "gpu", "node");
    for row in rows {
        let state = match (&row.quarantine, &row.held, row.kept, row.cut) {
            (Some(record), ..) => format!("in quarantine: {record}"),
            (_, Some(hold), Some(false), _) => format!(
                "held by job {}, and nobody watches: `gradus sandbox gc` takes it up",
                hold.job
            ),
            (_, Some(hold), ..) => format!("held by job {}", hold.job),
            (_, _, _, true) => "cut into instances".to_owned(),
            _ => "free".to_owned(),
        };
        let node = row.node.as_deref().unwrap_or("-");
        let _ = writeln!(text, "{:width$}  {node:13}  {state}", name(row));
    }
    text
}
