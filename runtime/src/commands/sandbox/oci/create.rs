//! `create` and `run`.

use super::{Runtime, chain, no_descriptors, note, translate};
use crate::cli::sandbox::CreateArgs;
use crate::commands::sandbox::{CommandError, run};
use crate::exit::Exit;
use gradus_oci::config::Config;
use gradus_oci::hooks;
use gradus_oci::record::{Container, Status};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

impl Runtime<'_> {
    /// Makes the container; its program waits. What fails leaves nothing.
    pub(super) fn create(&self, arguments: &CreateArgs) -> Result<Container, CommandError> {
        no_descriptors(arguments.preserve_fds)?;
        let bundle = &arguments.bundle;
        let bundle = bundle.canonicalize().map_err(|source| CommandError::Io {
            what: bundle.display().to_string(),
            source,
        })?;
        let config = Config::read(&bundle)?;
        let mut container = Container {
            id: arguments.id.clone(),
            job: free_name(),
            bundle,
            annotations: config.annotations.clone(),
            hooks: config.hooks.clone(),
            withheld: Vec::new(),
        };
        let inside = container.state(Status::Created, Some(1));
        let translated = translate(&config, &container.bundle, &container.job, &inside)?;
        container.withheld = translated.withheld;
        self.containers.create(&container)?;
        for right in &container.withheld {
            note(
                self.arguments,
                "warning",
                &format!("{}: not given: {right}", container.id),
            );
        }
        let made = self.make(arguments, &container, &translated.job, &translated.bundle);
        made.inspect_err(|_| {
            let undone = self.end(&container).and_then(|()| self.forget(&container));
            if let Err(error) = undone {
                note(self.arguments, "error", &chain(&error));
            }
        })?;
        Ok(container)
    }

    fn make(
        &self,
        arguments: &CreateArgs,
        container: &Container,
        job: &gradus_sandbox::job::Job,
        bundle: &gradus_oci::Bundle,
    ) -> Result<(), CommandError> {
        let started = self.sandbox.start_held(job, bundle)?;
        let pid = started.processes.init;
        drop(started);
        let state = container.state(Status::Creating, Some(pid));
        hooks::run("prestart", &container.hooks.prestart, &state)?;
        hooks::run("createRuntime", &container.hooks.create_runtime, &state)?;
        hooks::run("createContainer", &container.hooks.create_container, &state)?;
        self.start_attendant(&container.id)?;
        if let Some(file) = &arguments.pid_file {
            write_pid(file, pid)?;
        }
        Ok(())
    }

    /// Starts the process that passes on what the container prints, to where this process prints.
    fn start_attendant(&self, id: &str) -> Result<(), CommandError> {
        let failed = |source| CommandError::Io {
            what: "the process that passes on what the container prints".to_owned(),
            source,
        };
        let program = std::env::current_exe().map_err(failed)?;
        Command::new(program)
            .arg("sandbox")
            .arg("--state")
            .arg(self.sandbox.state().root())
            .arg("oci")
            .arg("--root")
            .arg(&self.root)
            .args(["attend", id])
            .stdin(Stdio::null())
            // Not of the terminal's group: what interrupts its caller does not end it.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        Ok(())
    }

    /// Makes the container, starts it, and deletes it when it has ended, with its exit code.
    pub(super) fn run_to_its_end(&self, arguments: &CreateArgs) -> Result<Exit, CommandError> {
        let container = self.create(arguments)?;
        let ended = self
            .start(&container.id)
            .and_then(|()| Ok(self.sandbox.wait(&container.job)?));
        if ended.is_err() {
            self.end(&container)?;
        } else {
            self.wait_for_attendant(&container);
        }
        self.forget(&container)?;
        Ok(Exit::Program(run::code(&ended?.outcome)))
    }
}

/// Whole, or not at all: whoever waits for it reads it at once.
fn write_pid(file: &Path, pid: i32) -> Result<(), CommandError> {
    let aside = file.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&aside, pid.to_string())
        .and_then(|()| fs::rename(&aside, file))
        .map_err(|source| CommandError::Io {
            what: file.display().to_string(),
            source,
        })
}

/// A job's name that no other has: a container's id may be longer than one, and others' directories of containers have the same ids.
fn free_name() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "oci-{}-{}",
        std::process::id(),
        since.as_nanos() % 1_000_000_000_000
    )
}
