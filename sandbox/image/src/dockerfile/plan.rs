//! Which stages the target needs, in which order, and what each is built on.

mod image;
mod order;

use std::collections::BTreeMap;

use super::error::{At, DockerfileError, shown};
use super::expand::{Budget, Style, Variables, expand};
use super::instruction::{Build, Instruction, Kind, Stage};
pub use image::{ImageRef, Platform};

/// Arguments that every build may be given and no layer depends on.
const PROXY: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// What a build is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Stage by name or number; the last if none.
    pub target: Option<String>,
    /// Values for `ARG`.
    pub args: BTreeMap<String, String>,
    /// What the image is for, and what it is built on.
    pub platform: Platform,
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// Another stage.
    Stage(usize),
    /// An image.
    Image(ImageRef),
}

/// A stage that is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStage {
    /// Its number in the Dockerfile.
    pub index: usize,
    /// What it begins with.
    pub base: Base,
    /// What it is for.
    pub platform: Platform,
    /// Stages that have to be there before, without the one it begins with.
    pub copies: Vec<usize>,
    /// Images that it copies from or mounts.
    pub images: Vec<ImageRef>,
}

/// The stages that a target needs, each after those that it needs.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) build: &'a Build,
    pub(super) options: Options,
    /// Values of `ARG` before the first stage, and the platform's.
    pub(super) globals: Variables,
    /// The stages, in the order of building; the target is the last.
    pub stages: Vec<PlannedStage>,
    /// Remarks for the author, each with its line where it has one.
    pub notes: Vec<(usize, String)>,
}

impl Build {
    /// What has to be built for a target.
    ///
    /// # Errors
    /// `UnknownTarget`, `UnknownStage`, `StageCycle`, and what stands in a `FROM`.
    pub fn plan(&self, options: Options) -> Result<Plan<'_>, DockerfileError> {
        let style = Style::arguments(self.escape);
        let mut budget = Budget::default();
        let mut globals = options.platform.variables();
        for instruction in &self.args {
            let at = at(instruction);
            let Kind::Arg(args) = &instruction.kind else {
                continue;
            };
            for (name, default) in args {
                let value = match (options.args.get(name), default) {
                    (Some(given), _) => given.clone(),
                    (None, Some(default)) => {
                        expand(default, &globals, style, &mut budget).map_err(|e| at.expand(e))?
                    }
                    (None, None) => continue,
                };
                globals.insert(name.clone(), value);
            }
        }
        let mut stages: Vec<PlannedStage> = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let at = stage_at(stage);
            let mut put_in =
                |text: &str| expand(text, &globals, style, &mut budget).map_err(|e| at.expand(e));
            let platform = match &stage.platform {
                Some(text) => Platform::parse(&put_in(text)?, at)?,
                None => options.platform.clone(),
            };
            let base = put_in(&stage.base)?;
            // A name that only a later stage has is an image's, as everywhere.
            let earlier = |s: &Stage| s.name.is_some() && s.name == Some(base.to_ascii_lowercase());
            let base = match self.stages[..index].iter().position(earlier) {
                _ if base == "scratch" => Base::Scratch,
                Some(stage) => Base::Stage(stage),
                None => Base::Image(ImageRef::parse(&base, at)?),
            };
            let (copies, images) = self.references(stage)?;
            stages.push(PlannedStage {
                index,
                base,
                platform,
                copies,
                images,
            });
        }
        let target = match &options.target {
            None => stages.len() - 1,
            Some(target) => self
                .named(target)
                .ok_or_else(|| DockerfileError::UnknownTarget {
                    target: shown(target),
                    known: self.known(),
                })?,
        };
        let order = order::order(&stages, target).map_err(|circle| self.cycle(&circle))?;
        let mut notes = self.notes.clone();
        notes.extend(self.unused(&options));
        Ok(Plan {
            build: self,
            globals,
            stages: order.into_iter().map(|i| stages[i].clone()).collect(),
            notes,
            options,
        })
    }

    /// Stages and images that a stage copies from or mounts.
    fn references(&self, stage: &Stage) -> Result<(Vec<usize>, Vec<ImageRef>), DockerfileError> {
        let (mut stages, mut images) = (Vec::new(), Vec::new());
        for instruction in &stage.instructions {
            let mounts = match &instruction.kind {
                Kind::Run(run) => run.mounts.as_slice(),
                _ => &[],
            };
            let copied = match &instruction.kind {
                Kind::Copy(copy) => copy.from.as_deref(),
                _ => None,
            };
            let mounted = mounts
                .iter()
                .flatten()
                .filter(|(key, _)| key == "from")
                .filter_map(|(_, value)| value.as_deref());
            for name in copied.into_iter().chain(mounted) {
                match self.reference(name, at(instruction))? {
                    Reference::Stage(index) if !stages.contains(&index) => stages.push(index),
                    Reference::Image(image) if !images.contains(&image) => images.push(image),
                    _ => {}
                }
            }
        }
        Ok((stages, images))
    }

    /// What `--from` or a mount's `from` means: a stage by number or name, else an image.
    pub(super) fn reference(&self, name: &str, at: At<'_>) -> Result<Reference, DockerfileError> {
        match self.named(name) {
            Some(index) => Ok(Reference::Stage(index)),
            None if name.bytes().all(|b| b.is_ascii_digit()) => {
                Err(DockerfileError::UnknownStage {
                    line: at.line,
                    text: shown(at.text),
                    name: shown(name),
                    known: self.known(),
                })
            }
            None if name == "scratch" => Err(at.syntax(
                "a stage or an image",
                "scratch, which is empty",
                "remove it, or give a stage's name",
            )),
            None => Ok(Reference::Image(ImageRef::parse(name, at)?)),
        }
    }

    fn named(&self, name: &str) -> Option<usize> {
        let lower = name.to_ascii_lowercase();
        let named = self
            .stages
            .iter()
            .position(|s| s.name.as_ref() == Some(&lower));
        let number = || name.parse().ok().filter(|i| *i < self.stages.len());
        named.or_else(number)
    }

    /// The stages for a message: at most 20.
    fn known(&self) -> String {
        let shown = self
            .stages
            .iter()
            .enumerate()
            .take(20)
            .map(|(i, s)| match &s.name {
                Some(name) => format!("{i} ({name})"),
                None => i.to_string(),
            });
        let list = shown.collect::<Vec<_>>().join(", ");
        match self.stages.len() > 20 {
            true => format!("{list} and {} more", self.stages.len() - 20),
            false => list,
        }
    }

    fn cycle(&self, circle: &[usize]) -> DockerfileError {
        let name = |i: &usize| self.stages[*i].name.clone().unwrap_or(i.to_string());
        DockerfileError::StageCycle {
            line: self.stages[circle[0]].line,
            circle: shown(&circle.iter().map(name).collect::<Vec<_>>().join(" -> ")),
        }
    }

    /// Values that were given for no `ARG`.
    fn unused(&self, options: &Options) -> Vec<(usize, String)> {
        let all = self
            .stages
            .iter()
            .flat_map(|s| &s.instructions)
            .chain(&self.args);
        let declared: Vec<&str> = all
            .filter_map(|i| match &i.kind {
                Kind::Arg(args) => Some(args),
                _ => None,
            })
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        let used =
            |name: &&String| declared.contains(&name.as_str()) || PROXY.contains(&name.as_str());
        options
            .args
            .keys()
            .filter(|name| !used(name))
            .map(|name| {
                (
                    0,
                    format!("the argument {} is given, but no ARG takes it", shown(name)),
                )
            })
            .collect()
    }
}

impl Plan<'_> {
    /// Proxies that were given: for commands' environment, and part of no key.
    pub fn proxies(&self) -> Vec<(String, String)> {
        let given = |name: &&str| Some((name.to_string(), self.options.args.get(*name)?.clone()));
        PROXY.iter().filter_map(given).collect()
    }
}

/// What a name stands for.
pub(super) enum Reference {
    Stage(usize),
    Image(ImageRef),
}

pub(super) fn is_proxy(name: &str) -> bool {
    PROXY.contains(&name)
}

pub(super) fn at(instruction: &Instruction) -> At<'_> {
    At {
        line: instruction.line,
        text: &instruction.text,
    }
}

pub(super) fn stage_at(stage: &Stage) -> At<'_> {
    At {
        line: stage.line,
        text: &stage.text,
    }
}
