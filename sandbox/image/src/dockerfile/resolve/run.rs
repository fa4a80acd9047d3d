//! `RUN` with variables put in, and what is checked with `HEALTHCHECK`.

use super::{At, Command, CopyFrom, DockerfileError, State, copy, lines, shown};
use crate::dockerfile::config::Healthcheck;
use crate::dockerfile::instruction::{HealthcheckCommand, Run};
use crate::dockerfile::mount::{self, Mount, MountKind};

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStep {
    /// Program and arguments, the shell included.
    pub argv: Vec<String>,
    /// A file, executable, that has to be at `/dev/pipes/NAME` while it runs: a here-document that names its interpreter.
    pub script: Option<(String, String)>,
    /// What is mounted meanwhile.
    pub mounts: Vec<Mount>,
    /// Where what is mounted comes from, for those that show files: in the mounts' order.
    pub mount_sources: Vec<(CopyFrom, String)>,
    /// Without network, whatever is allowed.
    pub no_network: bool,
}

impl State<'_> {
    pub(super) fn run(&mut self, run: &Run, at: At<'_>) -> Result<RunStep, DockerfileError> {
        let mut script = None;
        let command = match (&run.command, run.here_docs.first()) {
            (Command::Shell(text), Some(doc)) if lines::announced(text).is_some() => {
                let content = doc.text();
                if content.starts_with("#!") {
                    script = Some((doc.name.clone(), content));
                    Command::Shell(format!("/dev/pipes/{}", doc.name))
                } else {
                    Command::Shell(content)
                }
            }
            // Within a command the shell reads them itself.
            (Command::Shell(text), Some(_)) => {
                let docs = run.here_docs.iter();
                Command::Shell(docs.fold(text.clone(), |text, doc| {
                    format!("{text}\n{}{}", doc.content, doc.name)
                }))
            }
            (command, _) => command.clone(),
        };
        if let Some((name, _)) = &script
            && (name.contains('/') || name.starts_with('.'))
        {
            return Err(at.syntax(
                "a word that can name a file",
                shown(name),
                "write for example <<EOF",
            ));
        }
        let (mut mounts, mut sources) = (Vec::new(), Vec::new());
        for fields in &run.mounts {
            let mut expanded = Vec::new();
            for (key, value) in fields {
                let value = match value {
                    Some(value) => Some(self.put_in(value, at)?),
                    None => None,
                };
                expanded.push((key.clone(), value));
            }
            let mount = mount::typed(&expanded, self.config.directory(), at)?;
            let (from, source, shows) = match &mount.kind {
                MountKind::Bind { from, source } => (from, source.clone(), true),
                MountKind::Cache { from, source, .. } => (from, source.clone(), from.is_some()),
                _ => (&None, String::new(), false),
            };
            if shows {
                sources.push((copy::from(self, from.as_deref(), at)?, source));
            }
            mounts.push(mount);
        }
        Ok(RunStep {
            argv: self.with_shell(&command),
            script,
            mounts,
            mount_sources: sources,
            no_network: run.no_network,
        })
    }
}

pub(super) fn healthcheck(check: Option<&HealthcheckCommand>) -> Healthcheck {
    let test = match check.map(|c| &c.command) {
        None => vec!["NONE".to_owned()],
        Some(Command::Shell(text)) => vec!["CMD-SHELL".to_owned(), text.clone()],
        Some(Command::Exec(argv)) => {
            let mut test = vec!["CMD".to_owned()];
            test.extend(argv.iter().cloned());
            test
        }
    };
    Healthcheck {
        test,
        interval_ns: check.map_or(0, |c| c.interval_ns),
        timeout_ns: check.map_or(0, |c| c.timeout_ns),
        start_period_ns: check.map_or(0, |c| c.start_period_ns),
        start_interval_ns: check.map_or(0, |c| c.start_interval_ns),
        retries: check.map_or(0, |c| c.retries),
    }
}
