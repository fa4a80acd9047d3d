//! Why nothing was built, and whose fault that is.

use gradus_image::Owner;
use gradus_image::context::ContextError;
use gradus_image::dockerfile::{DockerfileError, Step};
use gradus_image::layout::ImportImageError;
use gradus_image::store::{PutLayerError, StoreError};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::sandbox::SandboxError;

use crate::bases::FetchError;
use crate::copy::CopyError;
use crate::staging::StageError;
use crate::union::UnionError;
use crate::users::UserError;

/// Why nothing was built. The store has no image of it, and keeps the layers of steps that were done.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum BuildError {
    #[error(transparent)]
    Dockerfile(Box<DockerfileError>),
    #[error(transparent)]
    Context(Box<ContextError>),
    #[error("line {line}: {text}")]
    Step {
        line: usize,
        text: String,
        #[source]
        source: Box<StepError>,
    },
    #[error(
        "line {line}: the image {reference} is not in the store\nhelp: bring it there with `gradus sandbox pull` (`build --pull` does so itself), `gradus sandbox image import` or a build of that name"
    )]
    NoBase { line: usize, reference: String },
    #[error("line {line}: the image {reference}")]
    Fetch {
        line: usize,
        reference: String,
        #[source]
        source: FetchError,
    },
    #[error(
        "line {line}: the image {reference} is for {found}, not for {wanted}\nhelp: name one for that platform"
    )]
    Platform {
        line: usize,
        reference: String,
        wanted: String,
        found: String,
    },
    #[error(
        "the image has {found} layers, at most {limit} can be mounted\nhelp: join commands, or copy the result into a stage of its own"
    )]
    Layers { found: usize, limit: usize },
    #[error(
        "the image has {found} bytes, the limit is {limit}\nhelp: leave out what is not needed: caches, sources, parameters that are fetched anyway"
    )]
    ImageSize { found: u64, limit: u64 },
    #[error(
        "the build has taken longer than {limit_s} s\nhelp: do less in it, or have the limit raised"
    )]
    Time { limit_s: u64 },
    #[error("the build was stopped")]
    Cancelled,
    #[error("the secret {id:?} is not given as a file that can be read: {path}")]
    Secret {
        id: String,
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "a build needs root: its files belong to several users\nhelp: run it as root, or import an image that was built elsewhere"
    )]
    NotRoot,
    #[error(transparent)]
    Store(Box<StoreError>),
    #[error("the image cannot be put into the store")]
    Image(#[source] Box<ImportImageError>),
    #[error(transparent)]
    Sandbox(Box<SandboxError>),
    #[error("{path}: {step} failed")]
    Io {
        step: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
}

/// Why a step of a build was not done.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum StepError {
    #[error(transparent)]
    Copy(Box<CopyError>),
    #[error(transparent)]
    User(#[from] UserError),
    #[error("{what} is not supported\nhelp: {help}")]
    Refused { what: String, help: &'static str },
    #[error(
        "the secret {id:?} is required and not given\nhelp: give it with --secret id={id},src=FILE"
    )]
    NoSecret { id: String },
    #[error(
        "{url} must not be fetched: {why}\nhelp: put the file into the context, or allow its host with --allow-host"
    )]
    NotAllowed { url: String, why: String },
    #[error("{url} cannot be added")]
    Fetch {
        url: String,
        #[source]
        source: FetchError,
    },
    #[error(
        "{url} is {found}, its --checksum says {expected}\nhelp: correct the checksum, if the file is the one that is meant"
    )]
    Checksum {
        url: String,
        expected: String,
        found: gradus_image::Digest,
    },
    #[error("the command {}", ended(.outcome))]
    Command { outcome: Outcome },
    #[error("the command cannot be started")]
    Launch(#[source] Box<SandboxError>),
    #[error(
        "what the command wrote is gone\nhelp: build again; `gradus sandbox gc` ends what is left of it"
    )]
    Gone,
    #[error(transparent)]
    Layer(Box<PutLayerError>),
    #[error("{0}")]
    Mount(String),
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited { code } => format!("failed with exit code {code}"),
        Outcome::Signalled { signal } => format!("was ended by signal {signal}"),
        Outcome::OutOfMemory => {
            "needed more memory than it may use\nhelp: use less, or have --memory raised".to_owned()
        }
        Outcome::Deadline => {
            "took longer than the build may\nhelp: do less, or have --time raised".to_owned()
        }
        Outcome::DiskFull => {
            "wrote more than it may\nhelp: write less, or have --disk or --inodes raised".to_owned()
        }
        Outcome::LogFlood => "printed more than it may\nhelp: print less".to_owned(),
        other => format!("ended: {other}"),
    }
}

impl BuildError {
    /// A step's, with where it stands.
    pub(crate) fn at(step: &Step, source: StepError) -> BuildError {
        BuildError::Step {
            line: step.line,
            text: step.text.chars().take(120).collect(),
            source: Box::new(source),
        }
    }

    /// Whose fault it is.
    pub fn owner(&self) -> Owner {
        match self {
            BuildError::Dockerfile(error) => error.owner(),
            BuildError::Context(error) => error.owner(),
            BuildError::Step { source, .. } => source.owner(),
            BuildError::Fetch { source, .. } => source.owner,
            BuildError::Platform { .. }
            | BuildError::Layers { .. }
            | BuildError::ImageSize { .. }
            | BuildError::Time { .. } => Owner::Submission,
            BuildError::NoBase { .. }
            | BuildError::Cancelled
            | BuildError::Secret { .. }
            | BuildError::NotRoot
            | BuildError::Store(_)
            | BuildError::Sandbox(_)
            | BuildError::Io { .. } => Owner::Host,
            BuildError::Image(error) => match **error {
                ImportImageError::Store(_) => Owner::Host,
                _ => Owner::Bug,
            },
        }
    }
}

impl StepError {
    /// Whose fault it is.
    pub fn owner(&self) -> Owner {
        match self {
            StepError::Copy(error) => match &**error {
                CopyError::Context(error) => error.owner(),
                CopyError::Archive { source, .. } => source.owner(),
                CopyError::Stage(error) => stage_owner(error),
                CopyError::Union(error) => union_owner(error),
                CopyError::NoMatch { .. }
                | CopyError::Several { .. }
                | CopyError::Special { .. }
                | CopyError::NoName { .. }
                | CopyError::NoDirectory { .. }
                | CopyError::Whiteout { .. } => Owner::Submission,
            },
            StepError::User(UserError::Union(error)) => union_owner(error),
            StepError::User(_)
            | StepError::Refused { .. }
            | StepError::NotAllowed { .. }
            | StepError::Checksum { .. }
            | StepError::Mount(_) => Owner::Submission,
            StepError::Fetch { source, .. } => source.owner,
            StepError::NoSecret { .. } | StepError::Gone => Owner::Host,
            StepError::Command { outcome } => match outcome {
                Outcome::Lost
                | Outcome::Cancelled
                | Outcome::NotWritten { .. }
                | Outcome::LaunchFailed { .. } => Owner::Host,
                _ => Owner::Submission,
            },
            StepError::Launch(error) => match &**error {
                SandboxError::Launch { source, .. } if source.is_submissions() => Owner::Submission,
                _ => Owner::Host,
            },
            StepError::Layer(error) => error.owner(),
        }
    }
}

/// Causes are large and rare: they lie elsewhere.
macro_rules! boxed {
    ($($cause:ty => $error:ident :: $variant:ident),* $(,)?) => {$(
        impl From<$cause> for $error {
            fn from(cause: $cause) -> $error {
                $error::$variant(Box::new(cause.into()))
            }
        }
    )*};
}

boxed! {
    DockerfileError => BuildError::Dockerfile,
    ContextError => BuildError::Context,
    StoreError => BuildError::Store,
    ImportImageError => BuildError::Image,
    SandboxError => BuildError::Sandbox,
    CopyError => StepError::Copy,
    StageError => StepError::Copy,
    UnionError => StepError::Copy,
    ContextError => StepError::Copy,
    PutLayerError => StepError::Layer,
    StoreError => StepError::Layer,
}

fn stage_owner(error: &StageError) -> Owner {
    match error {
        StageError::Io { .. } => Owner::Host,
        StageError::InTheWay { .. } | StageError::TooMuch { .. } => Owner::Submission,
        StageError::Union(error) => union_owner(error),
    }
}

fn union_owner(error: &UnionError) -> Owner {
    match error {
        UnionError::Io { .. } => Owner::Host,
        UnionError::Links { .. } => Owner::Submission,
    }
}
