//! `gradus bench eval`: a whole model, of a shape or a checkpoint, with or without adapters.

use super::{BenchError, Place, chosen_gpu, peaks_of_a_cpu_stay, say, session, start, write};
use crate::cli::bench::BenchEvalArgs;
use crate::exit::Exit;
use gradus_benches::eval::{
    Adapters, EvalShape, Job, ModelShape, is_written, on_cpu, on_gpu, read_ids, write_adapters,
    write_checkpoint, write_ids,
};
use gradus_benches::table;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The shape whose limits are measured at sizes that take no time, too.
const TINY: &str = "tiny";

/// Measures a model.
pub(super) fn run(arguments: &BenchEvalArgs) -> Result<Exit, BenchError> {
    let ordinal = chosen_gpu(arguments.device)?;
    peaks_of_a_cpu_stay(arguments.no_peaks, ordinal)?;
    let json = Place::checked(arguments.json.as_ref())?;
    // What is not there is said before anything is written.
    let session = match ordinal {
        Some(ordinal) => {
            let tiny = arguments.shape.as_deref() == Some(TINY);
            Some(session(ordinal, tiny, arguments.no_peaks)?)
        }
        None => None,
    };
    let files = Files::of(arguments)?;
    let job = Job {
        checkpoint: &files.checkpoint,
        adapters: &files.adapters,
        rows: &files.rows,
        shape: files.name(arguments),
        work: files
            .model
            .as_ref()
            .map(|model| model.work(files.rows.len(), files.rows[0].len(), wanted(arguments))),
        memory_bytes: arguments.memory.0,
        repeat: arguments.repeat as usize,
    };
    let run = match &session {
        Some(session) => on_gpu(session, &job)?,
        None => on_cpu(&start(arguments.threads, None)?, &job)?,
    };
    say(&json, &table::machine(&run.machine, run.peaks.as_ref()));
    say(&json, &table::header());
    for row in &run.rows {
        say(&json, &table::line(row));
        if let Some(eval) = &row.eval {
            say(&json, &table::eval(eval));
        }
    }
    write(&run, json.as_ref())?;
    Ok(Exit::Done)
}

fn wanted(arguments: &BenchEvalArgs) -> Adapters {
    Adapters {
        count: arguments.candidates.map_or(0, usize::from),
        rank: usize::from(arguments.rank),
    }
}

/// What is evaluated, on disk.
struct Files {
    checkpoint: PathBuf,
    adapters: Vec<PathBuf>,
    rows: Vec<Vec<u32>>,
    /// If it is known.
    model: Option<ModelShape>,
    /// What was written for this run alone.
    temporary: Option<TempDir>,
}

impl Files {
    fn of(arguments: &BenchEvalArgs) -> Result<Self, BenchError> {
        let mut files = match (&arguments.shape, &arguments.checkpoint) {
            (Some(name), _) => Self::synthetic(name, arguments)?,
            (None, checkpoint) => {
                let checkpoint = checkpoint.clone().unwrap_or_else(|| PathBuf::from("."));
                let most = arguments.rows.map_or(usize::MAX, |rows| rows as usize);
                let rows = read_ids(&checkpoint, most)?;
                let config = checkpoint.join("config.json");
                Self {
                    model: ModelShape::named(&config.to_string_lossy()).ok(),
                    adapters: Vec::new(),
                    checkpoint,
                    rows,
                    temporary: None,
                }
            }
        };
        if arguments.candidates.is_some() {
            let Some(model) = &files.model else {
                return Err(BenchError::Usage(format!(
                    "adapters need the sizes of the model in {}, which its config.json does not have\nhelp: --shape writes a model and adapters",
                    files.checkpoint.display()
                )));
            };
            let place = match &arguments.dir {
                Some(directory) => directory.join("adapters"),
                None => {
                    let kept = files.temporary.take().map_or_else(temporary, Ok)?;
                    files.temporary.insert(kept).path().join("adapters")
                }
            };
            files.adapters = write_adapters(model, wanted(arguments), &place)?;
        }
        Ok(files)
    }

    /// A model of a shape, written unless it is there.
    fn synthetic(name: &str, arguments: &BenchEvalArgs) -> Result<Self, BenchError> {
        let shape = EvalShape {
            name: name.to_owned(),
            model: ModelShape::named(name)?,
            rows: arguments.rows.unwrap_or(8) as usize,
            tokens: arguments.tokens as usize,
        };
        let temporary = match &arguments.dir {
            Some(_) => None,
            None => Some(temporary()?),
        };
        let place = match (&arguments.dir, &temporary) {
            (Some(directory), _) => directory.as_path(),
            (None, Some(temporary)) => temporary.path(),
            (None, None) => unreachable!("one or the other"),
        };
        if !is_written(&shape.model, place) {
            room(&shape, place)?;
        }
        write_checkpoint(&shape.model, shape.tokens, place)?;
        write_ids(&shape, place)?;
        Ok(Self {
            checkpoint: place.to_owned(),
            adapters: Vec::new(),
            rows: shape.ids(),
            model: Some(shape.model),
            temporary,
        })
    }

    /// What the result calls it.
    fn name(&self, arguments: &BenchEvalArgs) -> String {
        let directory = self.checkpoint.file_name();
        let model = match &arguments.shape {
            Some(shape) => shape.as_str().into(),
            None => directory.map_or("checkpoint".into(), |name| name.to_string_lossy()),
        };
        let (rows, tokens) = (self.rows.len(), self.rows[0].len());
        let mut name = format!("{model},rows={rows},tokens={tokens}");
        if arguments.candidates.is_some() {
            let Adapters { count, rank } = wanted(arguments);
            name.push_str(&format!(",candidates={count},rank={rank}"));
        }
        name
    }
}

fn temporary() -> Result<TempDir, BenchError> {
    tempfile::tempdir().map_err(BenchError::Temporary)
}

/// Refuses a model that the disk has no room for.
fn room(shape: &EvalShape, directory: &Path) -> Result<(), BenchError> {
    let needs = shape.model.weight_bytes();
    // A directory that is yet to be made is where its parent is.
    let there = directory.ancestors().find(|place| place.exists());
    let free = crate::host::free_space(there.unwrap_or(Path::new(".")));
    match free {
        Some(free) if needs + 1e8 > free as f64 => Err(BenchError::Usage(format!(
            "synthetic weights of {} take {:.1} GB, and {} has {:.1} GB\nhelp: TMPDIR, or --dir, names another place",
            shape.name,
            needs / 1e9,
            directory.display(),
            free as f64 / 1e9
        ))),
        _ => Ok(()),
    }
}
