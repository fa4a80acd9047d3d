//! `gradus eval`: a task and candidates to a ranking.

mod load;

use crate::candidates::{CandidateArg, CandidateArgError, places};
use crate::cli::EvalArgs;
use crate::compare::Comparison;
use crate::example::{Example, ExampleError};
use crate::exit::Exit;
use crate::host::{Memory, default_memory};
use crate::interrupt::Interrupt;
use crate::output_file::{OutputFile, OutputFileError, apart};
use crate::progress::Progress;
use crate::table::Style;
use crate::{report, results, table};
use gradus_evaluators::{
    CandidateResult, EvaluateError, Evaluation, Observer, Options, Plan, Request,
};
use gradus_kernels::Isa;
use load::{LoadTaskError, Loaded};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What stands above the example's ranking.
const EXAMPLE: &str =
    "The embedded example: no task was named. Your own: gradus eval TASK --candidate NAME=PATH";

/// What `--isa` takes.
pub const ISA_NAMES: [&str; 3] = ["avx512", "avx2", "portable"];

/// Why nothing was scored, or a result could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The arguments do not fit together, or this machine.
    #[error("{0}")]
    Usage(String),
    /// The embedded example cannot run.
    #[error(transparent)]
    Example(#[from] ExampleError),
    /// The task cannot be read.
    #[error(transparent)]
    Task(#[from] LoadTaskError),
    /// The evaluation as a whole failed.
    #[error("the evaluation failed")]
    Evaluate(#[source] EvaluateError),
    /// A result file cannot be written.
    #[error(transparent)]
    Output(#[from] OutputFileError),
    /// The ranking cannot be shown.
    #[error("stdout cannot be written to")]
    Print(#[source] std::io::Error),
    /// The user or a supervisor asked to stop.
    #[error("interrupted; no result was written")]
    Interrupted,
}

impl From<CandidateArgError> for EvalError {
    fn from(error: CandidateArgError) -> Self {
        EvalError::Usage(error.to_string())
    }
}

/// Result files, checked before the work.
struct Outputs {
    json: Option<OutputFile>,
    subnets: Option<OutputFile>,
    report: Option<OutputFile>,
}

/// Evaluates, prints the ranking, writes the files.
///
/// # Errors
/// See [`EvalError`]. A candidate's own failure is not an error here.
pub fn run(arguments: &EvalArgs) -> Result<Exit, EvalError> {
    let started = Instant::now();
    let interrupt = Interrupt::listen();
    let example = match &arguments.task {
        None => Some(Example::unpack()?),
        Some(_) => None,
    };
    let candidates = candidates_of(arguments, example.as_ref())?;
    let outputs = Outputs::checked(arguments)?;
    let isa = arguments.isa.as_deref().map(isa_named).transpose()?;
    let progress = Progress::new(
        arguments.quiet || arguments.explain,
        interrupt.clone(),
        started,
    );
    let task_file = arguments
        .task
        .clone()
        .or_else(|| example.as_ref().map(Example::task));
    let task_file = task_file.expect("without a task there is an example");
    let named = arguments
        .task
        .as_ref()
        .map_or("the embedded example".to_owned(), |task| {
            task.display().to_string()
        });
    progress.opening(&named, candidates.len());
    let places = places(&candidates)?;
    let loaded = match Loaded::read(&task_file, arguments, places, &progress) {
        Ok(loaded) => loaded,
        Err(_) if interrupt.requested() => return Err(EvalError::Interrupted),
        Err(error) => {
            progress.clear();
            return Err(error.into());
        }
    };
    let directory = task_file.parent().unwrap_or(Path::new(""));
    let data = directory.join(&loaded.task.dataset.path);
    let models = loaded.candidates.iter().map(|c| c.path.as_path());
    let models: Vec<&Path> = models.chain([loaded.base.as_path()]).collect();
    outputs
        .spare(&[task_file.clone(), data], &models)
        .inspect_err(|_| progress.clear())?;
    let memory = arguments
        .memory
        .map_or_else(|| default_memory(&Memory::read()), |size| size.0);
    let request = Request {
        task: &loaded.task,
        rules: &loaded.rules,
        data: &loaded.data,
        base: &loaded.base,
        tokenizer_dir: arguments.tokenizer.as_deref(),
        candidates: &loaded.candidates,
        options: Options {
            device: arguments.device.0,
            threads: arguments.threads.map_or(0, usize::from),
            memory_bytes: Some(memory),
            isa,
        },
    };
    if arguments.explain {
        let plan = gradus_evaluators::explain(&request).map_err(EvalError::Evaluate)?;
        print(&format!("{plan}\n"))?;
        outputs.write_plan(&plan, &interrupt)?;
        return Ok(Exit::Done);
    }
    let evaluation = gradus_evaluators::evaluate(&request, &progress);
    let evaluation = match evaluation {
        _ if progress.cancelled() => Err(EvalError::Interrupted),
        Ok(evaluation) => Ok(loaded.complete(evaluation)),
        Err(error) => Err(EvalError::Evaluate(error)),
    };
    let mut evaluation = evaluation.inspect_err(|_| progress.clear())?;
    if let Some(example) = &example {
        for candidate in &mut evaluation.candidates {
            candidate.source = example.stable_source(&candidate.source);
        }
    }
    let failed = failures(&evaluation);
    progress.finished(evaluation.candidates.len() - failed, failed);
    let comparison = Comparison::new(&evaluation, &loaded.rules);
    let colour = std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let table = table::render(&comparison, Style { colour });
    let printed = print(&match example {
        Some(_) => format!("{EXAMPLE}\n\n{table}"),
        None => table,
    });
    // Results are kept even if nobody can be shown the ranking.
    outputs.write(&comparison, &interrupt)?;
    printed?;
    Ok(if failed == 0 {
        Exit::Done
    } else {
        Exit::SomeFailed
    })
}

fn candidates_of(
    arguments: &EvalArgs,
    example: Option<&Example>,
) -> Result<Vec<CandidateArg>, EvalError> {
    match example {
        Some(_) if !arguments.candidates.is_empty() => Err(EvalError::Usage(
            "candidates were given, but no task to score them on\nhelp: gradus eval TASK --candidate NAME=PATH".to_owned(),
        )),
        Some(example) => Ok(example.candidates()),
        None if arguments.candidates.is_empty() => Err(EvalError::Usage(
            "a task was given, but no candidate to score on it\nhelp: gradus eval TASK --candidate NAME=PATH".to_owned(),
        )),
        None => Ok(arguments.candidates.clone()),
    }
}

fn isa_named(name: &str) -> Result<Isa, EvalError> {
    let available = Isa::available();
    available
        .iter()
        .copied()
        .find(|isa| isa.name() == name)
        .ok_or_else(|| {
            let known: Vec<_> = available.into_iter().map(Isa::name).collect();
            EvalError::Usage(format!(
                "this machine has no {name}\nhelp: it has {}",
                known.join(", ")
            ))
        })
}

fn failures(evaluation: &Evaluation) -> usize {
    evaluation
        .candidates
        .iter()
        .filter(|outcome| matches!(outcome.result, CandidateResult::Failed(_)))
        .count()
}

/// Prints to stdout. A reader that went away has seen enough.
fn print(text: &str) -> Result<(), EvalError> {
    let mut stdout = std::io::stdout().lock();
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(EvalError::Print(error))
        }
        _ => Ok(()),
    }
}

impl Outputs {
    fn checked(arguments: &EvalArgs) -> Result<Self, EvalError> {
        let check = |path: &Option<PathBuf>| path.as_deref().map(OutputFile::checked).transpose();
        let outputs = Self {
            json: check(&arguments.json)?,
            subnets: check(&arguments.god_json)?,
            report: check(&arguments.report)?,
        };
        apart(&outputs.files().collect::<Vec<_>>(), &[])?;
        Ok(outputs)
    }

    fn files(&self) -> impl Iterator<Item = &OutputFile> {
        [&self.json, &self.subnets, &self.report]
            .into_iter()
            .flatten()
    }

    /// Refuses to write over what the evaluation reads: a file of `files`, or anything in one of `directories`.
    fn spare(&self, files: &[PathBuf], directories: &[&Path]) -> Result<(), EvalError> {
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        apart(&self.files().collect::<Vec<_>>(), &files)?;
        let real = |path: &Path| path.canonicalize().ok();
        for place in self.files().map(OutputFile::place) {
            let mut inputs = directories.iter().filter_map(|d| real(d));
            if place.exists() && inputs.any(|d| place.starts_with(d)) {
                return Err(EvalError::Usage(format!(
                    "{} is read by this evaluation; a result would overwrite it\nhelp: name another file",
                    place.display()
                )));
            }
        }
        Ok(())
    }

    fn write(&self, comparison: &Comparison<'_>, interrupt: &Interrupt) -> Result<(), EvalError> {
        let write = |file: &Option<OutputFile>, bytes: &dyn Fn() -> Vec<u8>| {
            write_unless(interrupt, file.as_ref(), bytes)
        };
        write(&self.json, &|| results::ours(comparison))?;
        write(&self.subnets, &|| results::subnets(comparison.evaluation))?;
        write(&self.report, &|| report::render(comparison).into_bytes())
    }

    fn write_plan(&self, plan: &Plan, interrupt: &Interrupt) -> Result<(), EvalError> {
        write_unless(interrupt, self.json.as_ref(), &|| results::plan(plan))
    }
}

fn write_unless(
    interrupt: &Interrupt,
    file: Option<&OutputFile>,
    bytes: &dyn Fn() -> Vec<u8>,
) -> Result<(), EvalError> {
    match file {
        Some(_) if interrupt.requested() => Err(EvalError::Interrupted),
        Some(file) => Ok(file.write(&bytes())?),
        None => Ok(()),
    }
}
