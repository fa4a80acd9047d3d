//! `gradus sandbox run`.

use super::images::RunImage;
use super::{CommandError, print};
use crate::cli::sandbox::{Pair, RunArgs};
use crate::exit::Exit;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::output_file::OutputFile;
use gradus_sandbox::job::{Input, Job, Limits, Output};
use gradus_sandbox::logs::Reader;
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::outputs::{CollectLimits, collect};
use gradus_sandbox::protocol::{Ended, KillReason};
use gradus_sandbox::sandbox::{Sandbox, Started};
use gradus_sandbox::store::Store;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often output is looked for while the program runs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) fn run(sandbox: &Sandbox, arguments: &RunArgs) -> Result<Exit, CommandError> {
    let (job, image) = job(sandbox, arguments)?;
    if arguments.dry_run {
        let plan =
            serde_json::to_string_pretty(&sandbox.plan(&job)?).expect("plans are plain data");
        print(&(plan + "\n"))?;
        return Ok(Exit::Done);
    }
    // Before anything runs: a result that cannot be written is known too late otherwise.
    let result = arguments
        .json
        .as_deref()
        .map(OutputFile::checked)
        .transpose()?;
    let kept = image.map(|image| image.keep(&job.name)).transpose()?;
    let mut started = sandbox.start(&job)?;
    if arguments.detach {
        if let Some(kept) = kept {
            kept.leave();
        }
        print(&format!("{}\n", started.name()))?;
        return Ok(Exit::Done);
    }
    let interrupt = Interrupt::listen();
    let ended = follow(sandbox, &mut started, &interrupt, arguments.grace)?;
    for left in &ended.left {
        // The job's end is known; that something is left of it has to be known too.
        let _ = writeln!(io::stderr(), "gradus: {left}");
    }
    if let Some(file) = &result {
        let text = serde_json::to_string_pretty(&ended).expect("plain data");
        file.write(text.as_bytes())?;
    }
    if let Some(directory) = &arguments.take {
        take(sandbox, started.name(), arguments, directory)?;
    }
    if !arguments.keep {
        sandbox.remove(started.name())?;
        drop(kept);
    } else {
        if let Some(kept) = kept {
            kept.leave();
        }
    }
    Ok(Exit::Program(if interrupt.requested() {
        INTERRUPTED
    } else {
        code(&ended.outcome)
    }))
}

/// Takes what the job has left in its outputs, whole or not at all, to a directory for each.
fn take(
    sandbox: &Sandbox,
    name: &str,
    arguments: &RunArgs,
    directory: &Path,
) -> Result<(), CommandError> {
    let Some(outputs) = sandbox.outputs(name)? else {
        return Ok(());
    };
    std::fs::create_dir_all(directory).map_err(|source| CommandError::Io {
        what: directory.display().to_string(),
        source,
    })?;
    let store = Store::open(&sandbox.state().store())?;
    let limits = CollectLimits {
        bytes: arguments.disk.0,
        file_bytes: arguments.disk.0,
        files: arguments.inodes,
        ..CollectLimits::default()
    };
    let collected = collect(outputs.as_fd(), &limits, &store)?;
    for (output, tree) in collected.outputs() {
        store.materialise(tree, &directory.join(output))?;
    }
    drop(collected);
    store.gc()?;
    Ok(())
}

/// What `arguments` ask for.
fn job(sandbox: &Sandbox, arguments: &RunArgs) -> Result<(Job, Option<RunImage>), CommandError> {
    let image = match &arguments.image {
        Some(name) => Some(RunImage::find(sandbox, name)?),
        None => None,
    };
    let absolute = |path: &Path| -> Result<PathBuf, CommandError> {
        path.canonicalize().map_err(|source| CommandError::Io {
            what: path.display().to_string(),
            source,
        })
    };
    let input = |pair: &Pair| {
        Ok(Input {
            host: absolute(Path::new(&pair.left))?,
            inside: pair.inside.clone(),
        })
    };
    let output = |pair: &Pair| Output {
        name: pair.left.clone(),
        inside: pair.inside.clone(),
    };
    let mut env = image.as_ref().map_or(Vec::new(), RunImage::env);
    for variable in &arguments.env {
        let name = variable.split('=').next().unwrap_or_default();
        env.retain(|known| known.split('=').next() != Some(name));
        env.push(variable.clone());
    }
    if let Some(wrong) = arguments
        .env
        .iter()
        .find(|variable| !variable.contains('='))
    {
        return Err(CommandError::Usage(format!(
            "--env {wrong:?}: NAME=VALUE is expected"
        )));
    }
    if !env.iter().any(|variable| variable.starts_with("PATH=")) {
        env.push("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
    }
    let layers = match &image {
        Some(image) => image.layers()?,
        None => arguments
            .rootfs
            .iter()
            .map(|path| absolute(path))
            .collect::<Result<_, _>>()?,
    };
    let user = match (&image, arguments.user) {
        (Some(image), None) => image.user()?,
        (_, user) => user.unwrap_or((0, 0)),
    };
    let argv = match &image {
        Some(image) => image.argv(arguments.entrypoint.as_deref(), &arguments.command)?,
        None => arguments.command.clone(),
    };
    let cwd = arguments.cwd.clone();
    let job = Job {
        name: arguments.name.clone().unwrap_or_else(free_name),
        layers,
        writable_root: !arguments.read_only,
        argv,
        env,
        cwd: cwd.unwrap_or_else(|| image.as_ref().map_or("/", RunImage::cwd).to_owned()),
        uid: user.0,
        gid: user.1,
        inputs: arguments
            .inputs
            .iter()
            .map(input)
            .collect::<Result<_, CommandError>>()?,
        outputs: arguments.outputs.iter().map(output).collect(),
        scratch: arguments.scratch,
        best_effort: arguments.best_effort,
        limits: Limits {
            memory_bytes: arguments.memory.0,
            pids: arguments.pids,
            cpu_millis: arguments.cpus,
            cpuset: arguments.cpuset.clone(),
            disk_bytes: arguments.disk.0,
            disk_inodes: arguments.inodes,
            shm_bytes: arguments.shm.0,
            wall: arguments.time,
            grace: arguments.grace,
            log_bytes: arguments.log.0,
            ..Limits::default()
        },
    };
    Ok((job, image))
}

fn free_name() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "job-{}-{}",
        std::process::id(),
        since.as_millis() % 100_000_000
    )
}

/// Passes on what the job prints until it has ended.
fn follow(
    sandbox: &Sandbox,
    started: &mut Started,
    interrupt: &Interrupt,
    grace: Duration,
) -> Result<Ended, CommandError> {
    let mut log = Reader::open(&sandbox.state().directory(started.name()))?;
    let mut asked = false;
    loop {
        let ended = started.wait_for(LOOK_EVERY)?;
        pass_on(&mut log)?;
        if let Some(ended) = ended {
            return Ok(ended);
        }
        if interrupt.requested() && !asked {
            asked = true;
            sandbox.kill(started.name(), KillReason::Cancelled, grace)?;
        }
    }
}

fn pass_on(log: &mut Reader) -> Result<(), CommandError> {
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
    while let Some(record) = log.next()? {
        // A reader that went away does not end the job.
        let _ = if record.stream == gradus_sandbox::logs::Stream::Output {
            stdout.write_all(&record.bytes)
        } else {
            stderr.write_all(&record.bytes)
        };
    }
    let _ = stdout.flush();
    Ok(())
}

/// The exit code that says how a job ended, as of programs that start programs.
fn code(outcome: &Outcome) -> u8 {
    let signalled = |signal: i32| 128u8.saturating_add(signal.clamp(0, 127) as u8);
    match outcome {
        Outcome::Exited { code } => *code as u8,
        Outcome::Signalled { signal } => signalled(*signal),
        Outcome::Deadline => 124,
        Outcome::OutOfMemory
        | Outcome::DiskFull
        | Outcome::LogFlood
        | Outcome::GpuMemory
        | Outcome::Lost => signalled(9),
        Outcome::Cancelled => INTERRUPTED,
        Outcome::LaunchFailed { .. } => 125,
    }
}
