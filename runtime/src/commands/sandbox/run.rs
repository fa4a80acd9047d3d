//! `gradus sandbox run`.

use super::gpus::{self, Gpus, notes_of};
use super::images::RunImage;
use super::tell::Teller;
use super::{CommandError, NamedPath, egress, print, refused};
use crate::cli::sandbox::{Pair, RunArgs};
use crate::exit::Exit;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::output_file::OutputFile;
use gradus_egress::proxy::Proxy;
use gradus_sandbox::gpu::Granted;
use gradus_sandbox::job::{Input, Job, Limits, Network, Output};
use gradus_sandbox::logs::Reader;
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::outputs::{CollectLimits, collect};
use gradus_sandbox::protocol::{Ended, KillReason};
use gradus_sandbox::sandbox::{Sandbox, Started};
use gradus_sandbox::store::Store;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

const ROOTFS_HELP: &str =
    "it names a directory with a root file system; --image names an image instead";
const INPUT_HELP: &str =
    "it names a file or directory of this host, then `:` and where the job finds it";
const TAKEN_HELP: &str =
    "outputs are taken whole, beside what is there: remove it, or name another directory";
const TAKE_HELP: &str = "it names a directory that can be made or written";

/// How often output is looked for while the program runs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) fn run(
    sandbox: &Sandbox,
    gpus: Option<&Gpus<'_>>,
    arguments: &RunArgs,
) -> Result<Exit, CommandError> {
    let teller = Teller::new();
    let (job, image) = job(sandbox, arguments)?;
    let granted = gpus.map(|gpus| gpus.find(arguments)).transpose()?;
    if arguments.dry_run {
        let plan = sandbox.plan_on(&job, granted.as_ref())?;
        let plan = serde_json::to_string_pretty(&plan).expect("plans are plain data");
        print(&(plan + "\n"))?;
        return Ok(Exit::Done);
    }
    // Before anything runs: a result that cannot be written is known too late otherwise.
    let result = arguments
        .json
        .as_deref()
        .map(OutputFile::checked)
        .transpose()?;
    if let Some(directory) = &arguments.take {
        can_be_taken(directory, &job)?;
    }
    let requests = egress::record(&arguments.egress)?;
    let kept = image.map(|image| image.keep(&job.name)).transpose()?;
    let interrupt = (!arguments.detach).then(Interrupt::listen);
    let (mut started, mut keeper) = start(sandbox, gpus.zip(granted), &job, arguments)?;
    let proxy = egress::serve(&mut started, &arguments.egress, requests);
    if proxy.is_err() {
        sandbox.kill(started.name(), KillReason::Cancelled, Duration::ZERO)?;
        sandbox.wait(started.name())?;
        sandbox.remove(started.name())?;
    }
    let proxy = proxy?;
    let Some(interrupt) = interrupt else {
        if let Some(kept) = kept {
            kept.leave();
        }
        print(&format!("{}\n", started.name()))?;
        return Ok(Exit::Done);
    };
    let mut look_after = || match gpus {
        Some(gpus) => replace(teller, gpus, &mut keeper, &job.name, arguments.gpu_wait),
        None => Ok(()),
    };
    let ended = follow(
        sandbox,
        &mut started,
        &interrupt,
        arguments.grace,
        &mut look_after,
    )?;
    if let Some(report) = proxy.map(Proxy::finish) {
        egress::tell(teller, &report);
    }
    if let Some(mut keeper) = keeper {
        // Until the GPUs are back, or in quarantine.
        let _ = keeper.wait();
    }
    if let Some(reason) = reason(&ended.outcome) {
        teller.note(&reason);
    }
    let notes = notes_of(sandbox, started.name());
    gpus::tell(teller, &notes);
    refused::tell(teller, sandbox, started.name());
    for left in &ended.left {
        // The job's end is known; that something is left of it has to be known too.
        teller.note(left);
    }
    if let Some(file) = &result {
        let mut value = serde_json::to_value(&ended).expect("plain data");
        if gpus.is_some() {
            value["gpus"] = serde_json::to_value(&notes).expect("plain data");
        }
        let text = serde_json::to_string_pretty(&value).expect("plain data");
        file.write(text.as_bytes())?;
    }
    if let Some(directory) = &arguments.take {
        take(sandbox, started.name(), arguments, directory)?;
    }
    if !arguments.keep {
        sandbox.finish(started)?;
        drop(kept);
    } else if let Some(kept) = kept {
        kept.leave();
    }
    Ok(Exit::Program(if interrupt.requested() {
        INTERRUPTED
    } else {
        code(&ended.outcome)
    }))
}

/// Starts the job, with its keeper if it has GPUs.
fn start(
    sandbox: &Sandbox,
    gpus: Option<(&Gpus<'_>, Granted)>,
    job: &Job,
    arguments: &RunArgs,
) -> Result<(Started, Option<Child>), CommandError> {
    let Some((gpus, granted)) = gpus else {
        return Ok((sandbox.start(job)?, None));
    };
    let grant = gpus.take(granted, &job.name)?;
    let started = match sandbox.start_on(job, Some(&grant.granted)) {
        Ok(started) => started,
        Err(error) => {
            grant.release()?;
            return Err(error.into());
        }
    };
    match gpus.start_keeper(started.name(), arguments.gpu_wait) {
        Ok(keeper) => {
            grant.hand_over();
            Ok((started, Some(keeper)))
        }
        Err(error) => {
            // A job whose GPUs nobody watches does not go on.
            sandbox.kill(started.name(), KillReason::Cancelled, Duration::ZERO)?;
            Err(error)
        }
    }
}

/// Puts another keeper in the place of one that was killed while its job runs. One that gave up would do so again.
fn replace(
    teller: Teller,
    gpus: &Gpus<'_>,
    keeper: &mut Option<Child>,
    name: &str,
    wait: Duration,
) -> Result<(), CommandError> {
    let ended = keeper
        .as_mut()
        .and_then(|keeper| keeper.try_wait().ok().flatten());
    let Some(status) = ended.filter(|status| !status.success()) else {
        return Ok(());
    };
    let killed = status.signal().is_some();
    let then = if killed {
        "another one takes over"
    } else {
        "the GPUs stay held, and `gradus sandbox gc` takes them up"
    };
    teller.note(&format!(
        "the keeper of the job's GPUs has ended ({status}); {then}"
    ));
    *keeper = killed.then(|| gpus.start_keeper(name, wait)).transpose()?;
    Ok(())
}

/// Whether outputs can be taken to `directory`, as far as that can be told before there are some.
fn can_be_taken(directory: &Path, job: &Job) -> Result<(), CommandError> {
    let failed = || NamedPath::of("--take", directory, TAKE_HELP);
    for output in &job.outputs {
        let place = directory.join(&output.name);
        if place.symlink_metadata().is_ok() {
            return Err(NamedPath::of("--take", place, TAKEN_HELP)(
                io::ErrorKind::AlreadyExists.into(),
            )
            .into());
        }
    }
    // Made now: where it cannot be is best found out by trying.
    std::fs::create_dir_all(directory).map_err(failed())?;
    let writable = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    Ok(rustix::fs::access(directory, writable).map_err(|error| failed()(error.into()))?)
}

/// Why gradus has ended the job, if it has, and what would let it go on: its own words do not say it.
fn reason(outcome: &Outcome) -> Option<String> {
    let option = match outcome {
        Outcome::OutOfMemory => "--memory",
        Outcome::Deadline => "--time",
        Outcome::DiskFull => "--disk and --inodes",
        Outcome::LogFlood => "--log",
        Outcome::GpuMemory => "--gpu-memory",
        Outcome::Lost | Outcome::NotWritten { .. } => {
            return Some(format!("the job has ended: {outcome}"));
        }
        Outcome::Exited { .. }
        | Outcome::Signalled { .. }
        | Outcome::Cancelled
        | Outcome::LaunchFailed { .. } => return None,
    };
    Some(format!("the job has ended: {outcome} ({option})"))
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

/// What a job may be given to read. A socket or a pipe would be a way to whoever is at its other end.
fn input_of(path: PathBuf) -> io::Result<PathBuf> {
    let kind = path.metadata()?.file_type();
    match kind.is_file() || kind.is_dir() {
        true => Ok(path),
        false => Err(io::Error::other("it is neither a file nor a directory")),
    }
}

/// A directory under the job's root.
fn layer(path: &Path) -> Result<PathBuf, CommandError> {
    let found = path.canonicalize().and_then(|found| match found.is_dir() {
        true => Ok(found),
        false => Err(io::ErrorKind::NotADirectory.into()),
    });
    Ok(found.map_err(NamedPath::of("--rootfs", path, ROOTFS_HELP))?)
}

/// What `arguments` ask for.
fn job(sandbox: &Sandbox, arguments: &RunArgs) -> Result<(Job, Option<RunImage>), CommandError> {
    let image = match &arguments.image {
        Some(name) => Some(RunImage::find(sandbox, name)?),
        None => None,
    };
    let input = |pair: &Pair| {
        let host = Path::new(&pair.left).canonicalize().and_then(input_of);
        Ok(Input {
            host: host.map_err(NamedPath::of("--input", &pair.left, INPUT_HELP))?,
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
    if !env.iter().any(|variable| variable.starts_with("PATH=")) {
        env.push("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
    }
    if !arguments.egress.allow_hosts.is_empty() {
        egress::add_variables(&mut env);
    }
    let layers = match &image {
        Some(image) => image.layers()?,
        None => arguments
            .rootfs
            .iter()
            .map(|path| layer(path))
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
        network: Network {
            of: arguments.next_to.clone(),
            proxy_port: (!arguments.egress.allow_hosts.is_empty()).then_some(egress::PORT),
        },
        scratch: arguments.scratch,
        best_effort: arguments.best_effort,
        record_refused: arguments.record_refused,
        limits: Limits {
            memory_bytes: arguments.memory.0,
            pids: arguments.pids,
            cpu_millis: arguments.cpus,
            cpuset: arguments.cpuset.clone(),
            io_read_bps: arguments.io_read_bps.map(|size| size.0),
            io_write_bps: arguments.io_write_bps.map(|size| size.0),
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
    look_after: &mut dyn FnMut() -> Result<(), CommandError>,
) -> Result<Ended, CommandError> {
    let mut log = Reader::open(&sandbox.state().directory(started.name()))?;
    let mut asked = false;
    loop {
        let ended = started.wait_for(LOOK_EVERY)?;
        look_after()?;
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

pub(super) fn pass_on(log: &mut Reader) -> Result<(), CommandError> {
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
pub(super) fn code(outcome: &Outcome) -> u8 {
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
        Outcome::LaunchFailed { .. } | Outcome::NotWritten { .. } => 125,
    }
}
