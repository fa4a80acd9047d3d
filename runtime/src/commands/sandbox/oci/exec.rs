//! `exec`: a program beside a container's own.
//!
//! It is a child of the job's first process, and has given up what that has: it is user 0 of the job, without capabilities.

use super::{LOOK_EVERY, Runtime, no_descriptors, refused, wrong};
use crate::cli::sandbox::ExecArgs;
use crate::commands::sandbox::CommandError;
use crate::exit::Exit;
use gradus_oci::OciError;
use gradus_oci::config::{self, Config};
use gradus_oci::record::{Container, Status};
use gradus_oci::translate::program;
use gradus_sandbox::protocol::Status as Ended;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long what was printed last may take to be passed on, where something still runs that could print more.
const PASSED_ON_WITHIN: Duration = Duration::from_secs(1);

impl Runtime<'_> {
    pub(super) fn exec(&self, arguments: &ExecArgs) -> Result<Exit, CommandError> {
        no_descriptors(arguments.preserve_fds)?;
        if arguments.cgroup != "/" {
            let why = "all processes of a job are in its own groups, `/`";
            return Err(refused("--cgroup", why).into());
        }
        if arguments.pid_file.is_some() {
            let why = "a program beside a container's own has no id outside";
            return Err(refused("--pid-file", why).into());
        }
        let container = self.containers.find(&arguments.id)?;
        match self.status(&container)?.0 {
            Status::Running => {}
            Status::Paused if arguments.ignore_paused => {}
            found => return Err(wrong(&container.id, found, "running").into()),
        }
        let process = self.process(arguments, &container)?;
        let failed = |source| CommandError::Io {
            what: "a pipe to the program".to_owned(),
            source,
        };
        let input = File::open("/dev/null").map_err(failed)?;
        let (output, output_end) = io::pipe().map_err(failed)?;
        let (errors, errors_end) = io::pipe().map_err(failed)?;
        let passing = [pass_on(output, io::stdout()), pass_on(errors, io::stderr())];
        let streams = [input.as_fd(), output_end.as_fd(), errors_end.as_fd()];
        let ended = self.sandbox.run_beside(&container.job, process, streams)?;
        drop((output_end, errors_end));
        let until = Instant::now() + PASSED_ON_WITHIN;
        while !passing.iter().all(JoinHandle::is_finished) && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(Exit::Program(match ended {
            Ended::Exited(code) => code as u8,
            Ended::Signalled(signal) => 128u8.saturating_add(signal.clamp(0, 127) as u8),
        }))
    }

    /// What is run: with the container's variables and directory, where nothing else is said.
    fn process(
        &self,
        arguments: &ExecArgs,
        container: &Container,
    ) -> Result<gradus_sandbox::plan::Process, CommandError> {
        let own = Config::read(&container.bundle)?.process.unwrap_or_default();
        let asked = match &arguments.process {
            Some(file) => read(file)?,
            None => config::Process {
                args: arguments.command.clone(),
                env: own.env.clone(),
                cwd: own.cwd.clone(),
                ..config::Process::default()
            },
        };
        let mut process = program(&asked)?;
        if let Some(cwd) = &arguments.cwd {
            process.cwd.clone_from(cwd);
        }
        for variable in &arguments.env {
            let name = variable.split('=').next().unwrap_or_default();
            process
                .env
                .retain(|known| known.split('=').next() != Some(name));
            process.env.push(variable.clone());
        }
        Ok(process)
    }
}

fn read(file: &std::path::Path) -> Result<config::Process, CommandError> {
    let failed = |source| CommandError::Io {
        what: file.display().to_string(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(config::CONFIG_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(failed)?;
    let json = |source| OciError::Json {
        path: file.to_owned(),
        source,
    };
    Ok(serde_json::from_slice(&bytes).map_err(json)?)
}

/// Passes on what comes, until there is no more. A reader that went away is no failure.
fn pass_on(mut from: io::PipeReader, mut to: impl Write + Send + 'static) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 64 << 10];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
            let _ = to.write_all(&buffer[..bytes]);
            let _ = to.flush();
        }
    })
}
