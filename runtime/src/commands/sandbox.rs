//! `gradus sandbox`: programs that reach nothing they were not given.

mod build;
mod doctor;
mod egress;
mod fetch;
mod gpus;
mod images;
mod jobs;
mod oci;
mod pull;
mod registries;
mod run;

use crate::cli::sandbox::{SandboxArgs, SandboxCommand};
use crate::device::StateDir;
use crate::exit::Exit;
use crate::interrupt::INTERRUPTED;
use crate::output_file::OutputFileError;
use gradus_builder::{BuildError, UserError};
use gradus_fetch::git::FetchError;
use gradus_fetch::registry::{CredentialsError, PullError};
use gradus_image::Owner;
use gradus_image::layout::{ExportImageError, ImportImageError};
use gradus_oci::OciError;
use gradus_sandbox::gpu::GpuError;
use gradus_sandbox::logs::LogError;
use gradus_sandbox::outputs::CollectError;
use gradus_sandbox::sandbox::{Sandbox, SandboxError};
use gradus_sandbox::state::StateError;
use gradus_sandbox::store::StoreError;
use std::io::{self, Write};
use std::path::PathBuf;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// About jobs.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// About the directory of jobs.
    #[error(transparent)]
    State(#[from] StateError),
    /// About GPUs.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// About what a job printed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// About what a job left.
    #[error("its outputs are not taken")]
    Outputs(#[from] CollectError),
    /// About where they are taken to.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// About the file of the result.
    #[error(transparent)]
    Output(#[from] OutputFileError),
    /// There is no place for jobs.
    #[error("no directory for jobs\nhelp: set HOME or GRADUS_STATE_DIR, or name one with --state")]
    NoState,
    /// About a build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// About images.
    #[error(transparent)]
    Images(#[from] gradus_image::store::StoreError),
    /// An image that cannot be taken.
    #[error("the image is not taken")]
    Import(#[from] ImportImageError),
    /// An image that cannot be written.
    #[error("the image is not written")]
    Export(#[from] ExportImageError),
    /// An image's user.
    #[error("the image cannot be run as it says")]
    User(#[from] UserError),
    /// There is no such image.
    #[error("there is no image {0:?}; help: `gradus sandbox image list` lists them")]
    NoImage(String),
    /// An image that is not pulled.
    #[error("the image is not pulled")]
    Pull(#[from] PullError),
    /// Logins that cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A commit that is not fetched.
    #[error("the commit is not fetched")]
    Fetch(#[from] FetchError),
    /// About a container of the Open Container Initiative.
    #[error(transparent)]
    Oci(#[from] OciError),
    /// What was asked for does not fit.
    #[error("{0}")]
    Usage(String),
    /// A file or stream.
    #[error("{what}")]
    Io {
        /// which
        what: String,
        /// why
        #[source]
        source: io::Error,
    },
}

impl CommandError {
    /// The exit code: as of programs that start programs.
    pub fn code(&self) -> u8 {
        match self {
            CommandError::Usage(_) => 2,
            CommandError::Build(BuildError::Cancelled) => INTERRUPTED,
            CommandError::Build(error) => code_of(error.owner()),
            CommandError::Import(error) if error.owner() == Owner::Submission => 1,
            CommandError::Pull(error) => code_of(error.owner()),
            CommandError::Fetch(error) => code_of(error.owner()),
            CommandError::Sandbox(SandboxError::Launch { source, .. })
                if source.is_submissions() =>
            {
                match source.errno {
                    NOT_THERE => 127,
                    _ => 126,
                }
            }
            _ => 125,
        }
    }
}

/// The exit code by whose fault it is.
fn code_of(owner: Owner) -> u8 {
    match owner {
        Owner::Submission => 1,
        Owner::Host => 125,
        Owner::Bug => 70,
    }
}

/// The kernel's number for what is not there (`ENOENT`).
const NOT_THERE: i32 = 2;

/// Does what the arguments say.
pub fn run(arguments: &SandboxArgs) -> Result<Exit, CommandError> {
    // It needs no jobs.
    if let SandboxCommand::Fetch(arguments) = &arguments.command {
        return fetch::run(arguments);
    }
    let state = match &arguments.state {
        Some(state) => state.clone(),
        None => default_state()?,
    };
    let sandbox = match (Sandbox::open(&state), &arguments.command) {
        // Tools read errors of all kinds the same.
        (Err(error), SandboxCommand::Oci(arguments)) => {
            return Ok(oci::say(arguments, &error));
        }
        (opened, _) => opened?,
    };
    let driver_root = gpus::root_of(arguments.driver_root.as_ref());
    let gpus = || gpus::Gpus::of(&sandbox, &driver_root);
    match &arguments.command {
        SandboxCommand::Run(arguments) => {
            let gpus = (!arguments.gpus.is_empty()).then(gpus);
            run::run(&sandbox, gpus.as_ref(), arguments)
        }
        SandboxCommand::Oci(arguments) => oci::run(&sandbox, arguments),
        SandboxCommand::Gpus(arguments) => gpus::gpus(&gpus(), arguments),
        SandboxCommand::KeepGpus(arguments) => gpus::keep_gpus(&gpus(), arguments),
        SandboxCommand::Build(arguments) => build::run(&sandbox, arguments),
        SandboxCommand::Image(arguments) => images::run(&sandbox, arguments),
        SandboxCommand::Pull(arguments) => pull::run(&sandbox, arguments),
        SandboxCommand::Fetch(arguments) => fetch::run(arguments),
        SandboxCommand::Ps(arguments) => jobs::list(&sandbox, arguments),
        SandboxCommand::Logs(arguments) => jobs::logs(&sandbox, arguments),
        SandboxCommand::Kill(arguments) => jobs::kill(&sandbox, arguments),
        SandboxCommand::Inspect(arguments) => jobs::inspect(&sandbox, &arguments.name),
        SandboxCommand::Gc(arguments) => jobs::collect_garbage(&sandbox, &gpus(), arguments),
        SandboxCommand::Doctor(arguments) => doctor::run(&sandbox, &gpus(), arguments),
    }
}

/// To standard output; a reader that went away is no failure.
fn print(text: &str) -> Result<(), CommandError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Io {
            what: "standard output".to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

fn default_state() -> Result<PathBuf, CommandError> {
    Ok(StateDir::from_environment()
        .ok_or(CommandError::NoState)?
        .path()
        .join("sandbox"))
}
