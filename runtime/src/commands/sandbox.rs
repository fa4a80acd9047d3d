//! `gradus sandbox`: programs that reach nothing they were not given.

mod build;
mod build_egress;
mod doctor;
mod egress;
mod fetch;
mod gpus;
mod images;
mod jobs;
mod oci;
mod pull;
mod refused;
mod registries;
mod run;
mod tell;

use crate::cli::sandbox::{DriverArgs, SandboxArgs, SandboxCommand};
use crate::device::StateDir;
use crate::exit::Exit;
use crate::interrupt::INTERRUPTED;
use crate::output_file::OutputFileError;
use gpus::Gpus;
use gradus_builder::{BuildError, UserError};
use gradus_fetch::git::FetchError;
use gradus_fetch::net::authorities::AuthoritiesError;
use gradus_fetch::registry::{CredentialsError, PullError};
use gradus_image::Owner;
use gradus_image::layout::{ExportImageError, ImportImageError};
use gradus_oci::OciError;
use gradus_sandbox::gpu::GpuError;
use gradus_sandbox::logs::LogError;
use gradus_sandbox::outcome::{LaunchError, Stage};
use gradus_sandbox::outputs::CollectError;
use gradus_sandbox::sandbox::{Sandbox, SandboxError};
use gradus_sandbox::state::StateError;
use gradus_sandbox::store::StoreError;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// About jobs.
    #[error(transparent)]
    Sandbox(SandboxError),
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
    #[error("--json names a file that cannot be written")]
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
    /// The file of logins that was named.
    #[error("--auth-file cannot be used")]
    AuthFile(#[source] CredentialsError),
    /// An image of the store that does not say how it is run.
    #[error("the image's configuration cannot be read")]
    Config(#[from] ImportImageError),
    /// An image that cannot be taken.
    #[error("the image is not taken from {layout:?}")]
    Import {
        /// the layout
        layout: PathBuf,
        /// why
        #[source]
        source: Box<ImportImageError>,
    },
    /// An image that cannot be written.
    #[error("the image is not written")]
    Export(#[from] ExportImageError),
    /// An image's user.
    #[error("the image cannot be run as it says")]
    User(#[from] UserError),
    /// There is no such image.
    #[error(
        "there is no image {0:?}\nhelp: `gradus sandbox image list` lists them; `pull`, `build` and `image import` bring some"
    )]
    NoImage(String),
    /// An image that is not pulled.
    #[error("the image is not pulled")]
    Pull(#[from] PullError),
    /// Logins that cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Authorities that cannot be read.
    #[error("the variable SSL_CERT_FILE")]
    Authorities(#[from] AuthoritiesError),
    /// A commit that is not fetched.
    #[error("the commit is not fetched")]
    Fetch(#[from] FetchError),
    /// About a container of the Open Container Initiative.
    #[error(transparent)]
    Oci(#[from] OciError),
    /// The directory of jobs cannot be used.
    #[error(
        "the directory for jobs cannot be used\nhelp: --state or GRADUS_STATE_DIR names another one"
    )]
    Open(#[source] SandboxError),
    /// A file or directory that an option names.
    #[error(transparent)]
    Path(#[from] NamedPath),
    /// The job's directory is not there.
    #[error(
        "the job was not started\nhelp: --cwd names a directory inside; without it, that is the image's, else /"
    )]
    WorkingDirectory(#[source] LaunchError),
    /// An image without a program, and none was given.
    #[error("the image names no program\nhelp: give one behind --")]
    NoProgram,
    /// A variable without a token.
    #[error(
        "--token-env {0}: there is no such variable, or nothing is in it\nhelp: it names a variable, it is not the token itself"
    )]
    NoToken(String),
    /// A variable that is no time.
    #[error(
        "the variable SOURCE_DATE_EPOCH is {0:?}\nhelp: seconds since 1970 are expected; --epoch goes before it"
    )]
    Epoch(String),
    /// A GPU that nobody has to release.
    #[error("{0} is not in quarantine\nhelp: `gradus sandbox gpus` lists what is")]
    NoQuarantine(String),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
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

/// A file or directory that an option names and that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{option} {path:?} cannot be used\nhelp: {help}")]
pub struct NamedPath {
    /// The option, or what stands for it in the usage.
    option: &'static str,
    path: PathBuf,
    /// What the option is for.
    help: &'static str,
    #[source]
    source: io::Error,
}

impl NamedPath {
    fn of(
        option: &'static str,
        path: impl AsRef<Path>,
        help: &'static str,
    ) -> impl FnOnce(io::Error) -> NamedPath {
        let path = path.as_ref().to_owned();
        move |source| NamedPath {
            option,
            path,
            help,
            source,
        }
    }
}

impl CommandError {
    /// The exit code: 125 where this program has failed to do what it was asked for, as of other programs that start programs. What is wrong
    /// with the command line itself is refused before ([`crate::cli`]).
    pub fn code(&self) -> u8 {
        match self {
            CommandError::Build(BuildError::Cancelled) | CommandError::Interrupted => INTERRUPTED,
            CommandError::Build(error) => code_of(error.owner()),
            CommandError::Import { source, .. } => code_of(source.owner()),
            CommandError::Pull(error) => code_of(error.owner()),
            CommandError::Fetch(FetchError::Url { .. }) => 2,
            CommandError::Fetch(error) => code_of(error.owner()),
            CommandError::Sandbox(SandboxError::Launch { source, .. })
                if source.stage == Stage::Exec =>
            {
                match source.errno {
                    // The kernel was not asked: it did not come to the program.
                    0 => 125,
                    NOT_THERE => 127,
                    _ => 126,
                }
            }
            _ => 125,
        }
    }
}

impl From<SandboxError> for CommandError {
    fn from(error: SandboxError) -> CommandError {
        match error {
            SandboxError::Launch { source, .. } if source.stage == Stage::WorkingDirectory => {
                CommandError::WorkingDirectory(source)
            }
            other => CommandError::Sandbox(other),
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
    let sandbox = match &arguments.command {
        SandboxCommand::Run(arguments) if !arguments.dry_run => Sandbox::open_for_a_job(&state),
        _ => Sandbox::open(&state),
    };
    let sandbox = match (sandbox, &arguments.command) {
        // Tools read errors of all kinds the same.
        (Err(error), SandboxCommand::Oci(arguments)) => {
            return Ok(oci::say(arguments, &error));
        }
        (opened, _) => opened.map_err(CommandError::Open)?,
    };
    match &arguments.command {
        SandboxCommand::Run(arguments) => {
            let gpus = (!arguments.gpus.is_empty()).then(|| gpus_of(&sandbox, &arguments.driver));
            run::run(&sandbox, gpus.as_ref(), arguments)
        }
        SandboxCommand::Oci(arguments) => oci::run(&sandbox, arguments),
        SandboxCommand::Gpus(arguments) => {
            gpus::gpus(&gpus_of(&sandbox, &arguments.driver), arguments)
        }
        SandboxCommand::KeepGpus(arguments) => {
            gpus::keep_gpus(&gpus_of(&sandbox, &arguments.driver), arguments)
        }
        SandboxCommand::Build(arguments) => build::run(&sandbox, arguments),
        SandboxCommand::Image(arguments) => images::run(&sandbox, arguments),
        SandboxCommand::Pull(arguments) => pull::run(&sandbox, arguments),
        SandboxCommand::Fetch(arguments) => fetch::run(arguments),
        SandboxCommand::Ps(arguments) => jobs::list(&sandbox, arguments),
        SandboxCommand::Logs(arguments) => jobs::logs(&sandbox, arguments),
        SandboxCommand::Kill(arguments) => jobs::kill(&sandbox, arguments),
        SandboxCommand::Inspect(arguments) => jobs::inspect(&sandbox, &arguments.name),
        SandboxCommand::Gc(arguments) => {
            jobs::collect_garbage(&sandbox, &gpus_of(&sandbox, &arguments.driver), arguments)
        }
        SandboxCommand::Doctor(arguments) => {
            doctor::run(&sandbox, &gpus_of(&sandbox, &arguments.driver), arguments)
        }
    }
}

/// The host's GPUs, for jobs.
fn gpus_of<'a>(sandbox: &'a Sandbox, driver: &'a DriverArgs) -> Gpus<'a> {
    Gpus::of(sandbox, &driver.driver_root)
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
