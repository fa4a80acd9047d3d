//! What a Dockerfile says, before variables are put in.

/// A Dockerfile, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The escape character: a backslash, or a backtick by directive.
    pub escape: char,
    /// Remarks for the author that refuse nothing, each with its line.
    pub notes: Vec<(usize, String)>,
    /// `ARG` before the first stage.
    pub args: Vec<Instruction>,
    /// The stages, at least one.
    pub stages: Vec<Stage>,
}

/// One `FROM` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Line of the `FROM`, counted from 1.
    pub line: usize,
    /// The `FROM` as written, continuations joined.
    pub text: String,
    /// Name, in lower case.
    pub name: Option<String>,
    /// Image, stage or `scratch`, variables not put in.
    pub base: String,
    /// `--platform`, variables not put in.
    pub platform: Option<String>,
    /// What is done in it.
    pub instructions: Vec<Instruction>,
}

/// One instruction of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Line it begins at, counted from 1.
    pub line: usize,
    /// As written, continuations joined and comments left out.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

/// What an instruction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Names with defaults.
    Arg(Vec<(String, Option<String>)>),
    /// Names and values.
    Env(Vec<(String, String)>),
    /// Names and values.
    Label(Vec<(String, String)>),
    /// A command while building.
    Run(Run),
    /// `COPY` and `ADD`.
    Copy(Copy),
    /// Directory, relative to the one before.
    Workdir(String),
    /// User, with or without group.
    User(String),
    /// What runs commands in shell form.
    Shell(Vec<String>),
    /// Ports.
    Expose(Vec<String>),
    /// Directories that are volumes.
    Volume(Vec<String>),
    /// A health check; none for `HEALTHCHECK NONE`.
    Healthcheck(Option<HealthcheckCommand>),
    /// Signal that stops the container.
    StopSignal(String),
    /// Program that is run.
    Entrypoint(Command),
    /// Its arguments, or the program itself.
    Cmd(Command),
    /// Author.
    Maintainer(String),
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A JSON array: the arguments as they are.
    Exec(Vec<String>),
    /// Text for a shell.
    Shell(String),
}

/// A `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What is run; in shell form with its here-documents' marks.
    pub command: Command,
    /// The here-documents, in order.
    pub here_docs: Vec<HereDoc>,
    /// `--mount`, each a list of keys and values.
    pub mounts: Vec<Vec<(String, Option<String>)>>,
    /// `--network=none`.
    pub no_network: bool,
}

/// `COPY` or `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// `ADD`: archives are unpacked, URLs fetched.
    pub add: bool,
    /// `--from`: stage by name or number, or an image.
    pub from: Option<String>,
    /// What is copied, at least one.
    pub sources: Vec<Source>,
    /// Where to.
    pub destination: String,
    /// `--chown`.
    pub chown: Option<String>,
    /// `--chmod`.
    pub chmod: Option<String>,
    /// `--link`: the result does not depend on the layers below.
    pub link: bool,
    /// `--checksum` of an `ADD` from a URL.
    pub checksum: Option<String>,
}

/// What a `COPY` or `ADD` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A path with wildcards, or a URL.
    Path(String),
    /// A file written in the Dockerfile.
    HereDoc(HereDoc),
}

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HereDoc {
    /// The word that ends it, and the name of its file.
    pub name: String,
    /// Whether variables are put in: the word was not quoted.
    pub expand: bool,
    /// `<<-`: tabs at the start of lines are not content.
    pub chomp: bool,
    /// Its lines as written.
    pub content: String,
}

impl HereDoc {
    /// The content, without tabs at the start of lines if `<<-` says so.
    pub fn text(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content
            .split_inclusive('\n')
            .map(|line| line.trim_start_matches('\t'))
            .collect()
    }
}

/// A `HEALTHCHECK` with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthcheckCommand {
    /// What is run.
    pub command: Command,
    /// Time between checks in nanoseconds; 0 inherits.
    pub interval_ns: u64,
    /// Time after which a check has failed; 0 inherits.
    pub timeout_ns: u64,
    /// Time in which failures do not count; 0 inherits.
    pub start_period_ns: u64,
    /// Time between checks in that time; 0 inherits.
    pub start_interval_ns: u64,
    /// Failures in a row; 0 inherits.
    pub retries: u32,
}
