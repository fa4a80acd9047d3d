//! A stage's instructions with variables put in: what is done, and what changes.
//!
//! Variables are put into ENV, LABEL, ARG, COPY, ADD, WORKDIR, USER, EXPOSE, VOLUME, STOPSIGNAL and mounts' values, with what
//! was in force before the instruction. RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK get them from the environment when they
//! run. ENV stands above ARG of the same name, wherever either is written.

mod copy;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{Change, DEFAULT_PATH, ImageConfig};
use super::error::{At, DockerfileError, shown};
use super::expand::{Budget, Style, Variables, expand, expand_words};
use super::instruction::{Command, Instruction, Kind};
use super::plan::{self, Plan, PlannedStage, Reference};
use super::{ENV_BYTES_MAX, Platform, lines, values};
pub use copy::{CopyFrom, CopySource, CopyStep};
pub use run::RunStep;

/// What a stage begins with, as it turned out.
#[derive(Debug, Clone, Copy)]
pub enum Parent<'a> {
    /// Nothing.
    Scratch,
    /// An image's configuration.
    Image(&'a ImageConfig),
    /// A stage that was resolved before.
    Stage(&'a Resolved),
}

/// A stage's steps, and the configuration after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What the image is like then.
    pub config: ImageConfig,
    /// `ARG` in force at the end: stages on this one have them too.
    pub args: BTreeMap<String, String>,
}

/// One instruction, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Line it begins at.
    pub line: usize,
    /// As written, for people.
    pub text: String,
    /// `RUN`, `COPY` and so on.
    pub verb: &'static str,
    /// What happens to files.
    pub action: Action,
    /// What happens to the configuration.
    pub changes: Vec<Change>,
    /// What was in force before it.
    pub scope: Arc<Scope>,
}

/// What is in force for a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Environment of commands: the image's, then `ARG` that it does not have, then `PATH` if neither has one.
    pub env: Vec<(String, String)>,
    /// Absolute.
    pub working_dir: String,
    /// Empty stands for root.
    pub user: String,
    /// What runs commands in shell form.
    pub shell: Vec<String>,
    /// What is built for.
    pub platform: Platform,
}

/// What a step does with files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Config,
    /// Makes a directory, with those above it.
    Workdir(String),
    /// Runs a command.
    Run(RunStep),
    /// Copies files in.
    Copy(CopyStep),
}

impl Plan<'_> {
    /// The steps of one of the plan's stages.
    ///
    /// # Errors
    /// Variables that cannot be put in, values that are not what the instruction takes, a base image with triggers.
    pub fn resolve(
        &self,
        stage: &PlannedStage,
        parent: Parent<'_>,
    ) -> Result<Resolved, DockerfileError> {
        let source = &self.build.stages[stage.index];
        let (config, args) = match parent {
            Parent::Scratch => (ImageConfig::scratch(), BTreeMap::new()),
            Parent::Image(config) => (config.clone(), BTreeMap::new()),
            Parent::Stage(stage) => (stage.config.clone(), stage.args.clone()),
        };
        if !config.on_build.is_empty() {
            return Err(DockerfileError::BaseTriggers {
                line: source.line,
                image: shown(&source.base),
                triggers: shown(&config.on_build.join("; ")),
            });
        }
        let mut state = State {
            plan: self,
            platform: stage.platform.clone(),
            config,
            args,
            cmd_set: false,
            budget: Budget::default(),
            variables: None,
            scope: None,
        };
        let mut steps = Vec::new();
        for instruction in &source.instructions {
            steps.extend(state.step(instruction)?);
        }
        Ok(Resolved {
            steps,
            config: state.config,
            args: state.args,
        })
    }
}

struct State<'a> {
    plan: &'a Plan<'a>,
    platform: Platform,
    config: ImageConfig,
    args: BTreeMap<String, String>,
    /// `CMD` was set in this stage, so that `ENTRYPOINT` leaves it.
    cmd_set: bool,
    budget: Budget,
    variables: Option<Variables>,
    scope: Option<Arc<Scope>>,
}

impl State<'_> {
    fn put_in(&mut self, text: &str, at: At<'_>) -> Result<String, DockerfileError> {
        let style = Style::arguments(self.plan.build.escape);
        self.put_in_style(text, style, at)
    }

    fn put_in_style(
        &mut self,
        text: &str,
        style: Style,
        at: At<'_>,
    ) -> Result<String, DockerfileError> {
        let variables = self
            .variables
            .get_or_insert_with(|| variables(&self.config, &self.args));
        expand(text, variables, style, &mut self.budget).map_err(|e| at.expand(e))
    }

    fn put_in_words(&mut self, text: &str, at: At<'_>) -> Result<Vec<String>, DockerfileError> {
        let style = Style::arguments(self.plan.build.escape);
        let variables = self
            .variables
            .get_or_insert_with(|| variables(&self.config, &self.args));
        expand_words(text, variables, style, &mut self.budget).map_err(|e| at.expand(e))
    }

    fn scope(&mut self) -> Arc<Scope> {
        let (config, args, platform) = (&self.config, &self.args, &self.platform);
        let scope = self.scope.get_or_insert_with(|| {
            let mut env = config.env.clone();
            let has = |env: &[(String, String)], name: &str| env.iter().any(|(n, _)| n == name);
            for (name, value) in args {
                // A proxy is the host's: nothing that is kept may depend on it.
                if !has(&config.env, name) && !plan::is_proxy(name) {
                    env.push((name.clone(), value.clone()));
                }
            }
            if !has(&env, "PATH") {
                env.push(("PATH".to_owned(), DEFAULT_PATH.to_owned()));
            }
            Arc::new(Scope {
                env,
                working_dir: config.directory().to_owned(),
                user: config.user.clone(),
                shell: config.shell(),
                platform: platform.clone(),
            })
        });
        scope.clone()
    }

    /// The step of an instruction; none for `ARG`.
    fn step(&mut self, instruction: &Instruction) -> Result<Option<Step>, DockerfileError> {
        let at = plan::at(instruction);
        if let Kind::Arg(args) = &instruction.kind {
            for (name, default) in args {
                self.arg(name, default.as_deref(), at)?;
            }
            return Ok(None);
        }
        let scope = self.scope();
        let (verb, action, changes) = self.effect(&instruction.kind, at)?;
        for change in &changes {
            self.config.apply(change);
        }
        if !changes.is_empty() {
            (self.variables, self.scope) = (None, None);
            self.check_size(at)?;
        }
        Ok(Some(Step {
            line: instruction.line,
            text: instruction.text.clone(),
            verb,
            action,
            changes,
            scope,
        }))
    }

    fn arg(
        &mut self,
        name: &str,
        default: Option<&str>,
        at: At<'_>,
    ) -> Result<(), DockerfileError> {
        let name = self.put_in(name, at)?;
        check_name(&name, at)?;
        let given = self.plan.options.args.get(&name);
        let value = match (given, default) {
            (Some(given), _) => given.clone(),
            (None, Some(default)) => self.put_in(default, at)?,
            // Without a default it takes the value from before the first stage, or stays what it was.
            (None, None) => match self.plan.globals.get(&name) {
                Some(global) => global.clone(),
                None => return Ok(()),
            },
        };
        self.args.insert(name, value);
        (self.variables, self.scope) = (None, None);
        self.check_size(at)
    }

    fn check_size(&self, at: At<'_>) -> Result<(), DockerfileError> {
        let size = |(name, value): (&String, &String)| name.len() + value.len() + 2;
        let env: usize = self.config.env.iter().map(|(n, v)| size((n, v))).sum();
        let args: usize = self.args.iter().map(size).sum();
        match env + args {
            bytes if bytes > ENV_BYTES_MAX => Err(at.syntax(
                format!("an environment of at most {ENV_BYTES_MAX} bytes"),
                format!("{bytes} bytes"),
                "put large values into files",
            )),
            _ => Ok(()),
        }
    }

    fn effect(
        &mut self,
        kind: &Kind,
        at: At<'_>,
    ) -> Result<(&'static str, Action, Vec<Change>), DockerfileError> {
        let mut changes = Vec::new();
        let verb = match kind {
            Kind::Arg(_) => "ARG",
            Kind::Run(run) => return Ok(("RUN", Action::Run(self.run(run, at)?), changes)),
            Kind::Copy(copy) => {
                let verb = if copy.add { "ADD" } else { "COPY" };
                return Ok((verb, Action::Copy(copy::resolve(self, copy, at)?), changes));
            }
            Kind::Workdir(path) => {
                let path = present(self.put_in(path, at)?, "a directory", at)?;
                let path = values::absolute(self.config.directory(), &path);
                changes.push(Change::WorkingDir(path.clone()));
                return Ok(("WORKDIR", Action::Workdir(path), changes));
            }
            Kind::Env(pairs) => {
                for (name, value) in pairs {
                    let name = self.put_in(name, at)?;
                    check_name(&name, at)?;
                    changes.push(Change::Env(name, self.put_in(value, at)?));
                }
                "ENV"
            }
            Kind::Label(pairs) => {
                for (name, value) in pairs {
                    let name = present(self.put_in(name, at)?, "a label's name", at)?;
                    changes.push(Change::Label(name, self.put_in(value, at)?));
                }
                "LABEL"
            }
            Kind::User(user) => {
                let user = present(self.put_in(user, at)?, "a user", at)?;
                if !values::is_owner(&user) {
                    return Err(at.syntax("user or user:group", shown(&user), "correct the name"));
                }
                changes.push(Change::User(user));
                "USER"
            }
            Kind::Shell(shell) => {
                changes.push(Change::Shell(shell.clone()));
                "SHELL"
            }
            Kind::Expose(texts) => {
                for text in texts {
                    for word in self.put_in_words(text, at)? {
                        let ports = values::ports(&word).map_err(|found| {
                            at.syntax("a port such as 8080 or 8000-8010/udp", found, "correct it")
                        })?;
                        changes.extend(ports.into_iter().map(Change::ExposedPort));
                    }
                }
                "EXPOSE"
            }
            Kind::Volume(paths) => {
                for path in paths {
                    let path = present(self.put_in(path, at)?, "a directory", at)?;
                    changes.push(Change::Volume(path));
                }
                "VOLUME"
            }
            Kind::StopSignal(signal) => {
                let signal = self.put_in(signal, at)?;
                if !values::is_signal(&signal) {
                    return Err(at.syntax(
                        "a signal by name or number",
                        shown(&signal),
                        "write for example SIGTERM",
                    ));
                }
                changes.push(Change::StopSignal(signal));
                "STOPSIGNAL"
            }
            Kind::Healthcheck(check) => {
                changes.push(Change::Healthcheck(run::healthcheck(check.as_ref())));
                "HEALTHCHECK"
            }
            Kind::Entrypoint(command) => {
                let argv = Some(self.with_shell(command)).filter(|argv| !argv.is_empty());
                changes.push(Change::Entrypoint(argv));
                // What the base image passes on was meant for its own entrypoint.
                if !self.cmd_set && self.config.cmd.is_some() {
                    changes.push(Change::Cmd(None));
                }
                "ENTRYPOINT"
            }
            Kind::Cmd(command) => {
                self.cmd_set = true;
                changes.push(Change::Cmd(Some(self.with_shell(command))));
                "CMD"
            }
            Kind::Maintainer(author) => {
                changes.push(Change::Author(author.clone()));
                "MAINTAINER"
            }
        };
        Ok((verb, Action::Config, changes))
    }

    fn with_shell(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(argv) => argv.clone(),
            Command::Shell(text) => {
                let mut argv = self.config.shell();
                argv.push(text.clone());
                argv
            }
        }
    }
}

/// Values by name: the environment's, then arguments that it does not have.
fn variables(config: &ImageConfig, args: &BTreeMap<String, String>) -> Variables {
    let mut variables = args.clone();
    variables.extend(config.env.iter().cloned());
    variables
}

fn present(text: String, expected: &str, at: At<'_>) -> Result<String, DockerfileError> {
    match text.is_empty() {
        true => Err(at.syntax(
            expected,
            "nothing: is a variable without a value in it?",
            "give the variable a value with ARG or ENV before this line",
        )),
        false => Ok(text),
    }
}

fn check_name(name: &str, at: At<'_>) -> Result<(), DockerfileError> {
    match name.is_empty() || name.contains(['=', '\n']) {
        true => Err(at.syntax(
            "a variable's name",
            shown(&format!("{name:?}")),
            "correct the name",
        )),
        false => Ok(()),
    }
}
