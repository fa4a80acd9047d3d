//! `gradus bench`: kernels and models against the limits of this machine, and results side by side.

mod eval;

use crate::cli::bench::{BenchArgs, BenchCommand, BenchDevice, CompareArgs, KernelsArgs};
use crate::exit::Exit;
use crate::host::Memory;
use crate::output_file::{OutputFile, OutputFileError, apart};
use crate::printable::printable;
use gradus_benches::compare::{CompareError, compare};
use gradus_benches::eval::{EvalBenchError, ShapeFileError};
use gradus_benches::measure::Budget;
use gradus_benches::peer::{self, Peer, PeerError};
use gradus_benches::result::{Failure, ReadRunError, Row, Run};
use gradus_benches::shape::{FAMILIES, Kind, ReadShapesError, Shape, defaults, read_shapes, tiny};
use gradus_benches::{cpu, gpu, plot, table};
use gradus_kernels::device::{DeviceError, module::take_notes};
use gradus_kernels::{Cpu, Isa};
use std::io::Write;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why nothing was measured or compared.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The arguments do not fit.
    #[error("{0}")]
    Usage(String),
    /// The list of shapes.
    #[error(transparent)]
    Shapes(#[from] ReadShapesError),
    /// The model's shape.
    #[error(transparent)]
    ModelShape(#[from] ShapeFileError),
    /// A result that was to be compared.
    #[error(transparent)]
    Read(#[from] ReadRunError),
    /// Two results that have nothing in common.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A place for a result.
    #[error(transparent)]
    Output(#[from] OutputFileError),
    /// Standard output.
    #[error("the result could not be written to standard output")]
    Stdout(#[source] std::io::Error),
    /// Threads.
    #[error(transparent)]
    Cpu(#[from] gradus_kernels::cpu::StartCpuError),
    /// A GPU.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A peer that is not there.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A model.
    #[error(transparent)]
    Eval(#[from] EvalBenchError),
    /// A directory for synthetic weights.
    #[error(
        "no directory for synthetic weights can be made\nhelp: TMPDIR, or --dir, names another place"
    )]
    Temporary(#[source] std::io::Error),
}

impl BenchError {
    /// Its exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Peer(_)
            | Self::Shapes(_)
            | Self::ModelShape(_)
            | Self::Read(_)
            | Self::Compare(_) => 2,
            Self::Output(error) if error.is_usage() => 2,
            _ => 1,
        }
    }
}

/// Measures or compares.
///
/// # Errors
/// As [`BenchError`] says.
pub fn run(arguments: &BenchArgs) -> Result<Exit, BenchError> {
    let done = match &arguments.what {
        BenchCommand::Kernels(arguments) => kernels(arguments),
        BenchCommand::Eval(arguments) => eval::run(arguments),
        BenchCommand::Compare(arguments) => compared(arguments),
    };
    for note in take_notes() {
        let _ = writeln!(std::io::stderr(), "note: {}", printable(&note));
    }
    done
}

/// Where a result goes: a file, or standard output.
enum Place {
    Stdout,
    File(OutputFile),
}

impl Place {
    fn checked(path: Option<&PathBuf>) -> Result<Option<Self>, BenchError> {
        let Some(path) = path else { return Ok(None) };
        if path == Path::new("-") {
            return Ok(Some(Self::Stdout));
        }
        Ok(Some(Self::File(OutputFile::checked(path)?)))
    }

    fn file(&self) -> Option<&OutputFile> {
        match self {
            Self::Stdout => None,
            Self::File(file) => Some(file),
        }
    }

    fn write(&self, text: &str) -> Result<(), BenchError> {
        match self {
            Self::Stdout => std::io::stdout()
                .write_all(text.as_bytes())
                .map_err(BenchError::Stdout),
            Self::File(file) => Ok(file.write(text.as_bytes())?),
        }
    }
}

/// Prints for people: on standard error where standard output carries the result. A reader that went away is no failure.
fn say(json: &Option<Place>, text: &str) {
    let _ = match json {
        Some(Place::Stdout) => writeln!(std::io::stderr(), "{text}"),
        _ => writeln!(std::io::stdout(), "{text}"),
    };
}

fn start(threads: u16, isa: Option<&str>) -> Result<Cpu, BenchError> {
    let isa = match isa {
        None => Isa::detect(),
        Some(name) => {
            let available = Isa::available();
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            let found = available.iter().copied().find(|isa| isa.name() == name);
            found.ok_or_else(|| {
                BenchError::Usage(format!(
                    "this machine does not have {name}\nhelp: it has {}",
                    names.join(", ")
                ))
            })?
        }
    };
    Ok(Cpu::with_isa(usize::from(threads), isa)?)
}

fn chosen(arguments: &KernelsArgs, gpu: bool) -> Result<Vec<Shape>, BenchError> {
    let all = match &arguments.shapes {
        Some(path) => read_shapes(path)?,
        None if arguments.tiny => tiny(),
        None if arguments.shape.is_empty() => defaults(gpu),
        None => arguments.shape.clone(),
    };
    let wanted = |shape: &Shape| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == shape.family())
    };
    let chosen: Vec<Shape> = all.into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        let family = arguments.only.join(", ");
        return Err(BenchError::Usage(format!(
            "none of the shapes is of {family}\nhelp: --list without --only prints every shape"
        )));
    }
    Ok(chosen)
}

/// The GPU that is asked for, if it is one.
fn chosen_gpu(device: BenchDevice) -> Result<Option<usize>, BenchError> {
    match device {
        BenchDevice::Cpu => Ok(None),
        BenchDevice::Cuda(ordinal) => Ok(Some(ordinal)),
        BenchDevice::Auto => Ok((gpu::count()? > 0).then_some(0)),
    }
}

/// Opens GPU `ordinal`, with what it can do or without.
fn session(ordinal: usize, tiny: bool, no_peaks: bool) -> Result<gpu::Session, BenchError> {
    Ok(if no_peaks {
        gpu::Session::without_peaks(ordinal, tiny)?
    } else {
        gpu::Session::open(ordinal, tiny)?
    })
}

/// Refuses to leave out what is measured around every sample, and not before them.
fn peaks_of_a_cpu_stay(no_peaks: bool, ordinal: Option<usize>) -> Result<(), BenchError> {
    if no_peaks && ordinal.is_none() {
        return Err(BenchError::Usage(
            "--no-peaks is for GPUs: the limits of a CPU are measured around each sample\nhelp: --device cuda:0 measures on a GPU"
                .to_owned(),
        ));
    }
    Ok(())
}

fn kernels(arguments: &KernelsArgs) -> Result<Exit, BenchError> {
    let ordinal = chosen_gpu(arguments.device)?;
    peaks_of_a_cpu_stay(arguments.no_peaks, ordinal)?;
    let shapes = chosen(arguments, ordinal.is_some())?;
    if arguments.list {
        list(&shapes);
        return Ok(Exit::Done);
    }
    if !(arguments.seconds.is_finite() && arguments.seconds >= 0.0) {
        return Err(BenchError::Usage(
            "--seconds must be a number that is not negative".to_owned(),
        ));
    }
    let (json, svg) = (
        Place::checked(arguments.json.as_ref())?,
        Place::checked(arguments.svg.as_ref())?,
    );
    let files = [&json, &svg].into_iter().flatten();
    apart(&files.filter_map(Place::file).collect::<Vec<_>>(), &[])?;
    let budget = Budget {
        samples: arguments.samples as usize,
        seconds: arguments.seconds,
    };
    let mut measured = Measured::open(arguments, ordinal)?;
    let mut run = measured.run();
    say(&json, &table::machine(&run.machine, run.peaks.as_ref()));
    say(&json, &table::header());
    for shape in &shapes {
        for row in measured.rows(shape, budget) {
            match row {
                Ok(row) => {
                    say(&json, &table::line(&row));
                    run.rows.push(row);
                }
                Err(failure) => {
                    say(&json, &table::failure(&failure));
                    run.failures.push(failure);
                }
            }
        }
    }
    say(&json, table::LEGEND);
    write(&run, json.as_ref())?;
    if let Some(svg) = svg {
        svg.write(&plot::svg(&run))?;
    }
    // A shape that was asked for and has no time is a failure; a family of GPUs in the list of all is not.
    let named = !arguments.shape.is_empty() || arguments.shapes.is_some();
    let wrong = run.failures.iter().any(|failure| named || !failure.skipped);
    Ok(if wrong { Exit::Wrong } else { Exit::Done })
}

/// What is measured.
enum Measured {
    Cpu {
        cpu: Cpu,
        memory_bytes: u64,
        peer: Option<Box<dyn Peer>>,
    },
    Gpu(Box<gpu::Session>),
}

impl Measured {
    fn open(arguments: &KernelsArgs, ordinal: Option<usize>) -> Result<Self, BenchError> {
        let wants_peer = arguments.peer.is_some();
        if let Some(ordinal) = ordinal {
            let peer = wants_peer.then(|| peer::open(peer::Place::Gpu(ordinal)));
            let peer = peer.transpose()?;
            let mut session = session(ordinal, arguments.tiny, arguments.no_peaks)?;
            session.set_peer(peer);
            return Ok(Self::Gpu(Box::new(session)));
        }
        let threads = usize::from(arguments.threads);
        let peer = wants_peer.then(|| peer::open(peer::Place::Cpu { threads }));
        Ok(Self::Cpu {
            peer: peer.transpose()?,
            cpu: start(arguments.threads, arguments.isa.as_deref())?,
            memory_bytes: Memory::read().available.unwrap_or(u64::MAX),
        })
    }

    fn run(&self) -> Run {
        match self {
            Self::Cpu { cpu, .. } => cpu::run(cpu),
            Self::Gpu(session) => session.run(),
        }
    }

    fn rows(&mut self, shape: &Shape, budget: Budget) -> Vec<Result<Row, Failure>> {
        match self {
            Self::Cpu {
                cpu,
                memory_bytes,
                peer,
            } => cpu::rows(cpu, shape, budget, *memory_bytes, peer.as_deref()),
            Self::Gpu(session) => session.rows(shape, budget),
        }
    }
}

fn list(shapes: &[Shape]) {
    let mut stdout = std::io::stdout().lock();
    for shape in shapes {
        let _ = writeln!(stdout, "{shape}");
    }
    let _ = writeln!(stdout);
    for family in FAMILIES {
        let options: Vec<String> = family
            .options
            .iter()
            .map(|option| match option.kind {
                Kind::Flag => format!("[,{}]", option.name),
                _ => format!("[,{}=...]", option.name),
            })
            .collect();
        let form = format!(
            "{}:{}{}",
            family.name,
            family.dims.join("x"),
            options.concat()
        );
        let _ = writeln!(stdout, "{form:<58} {}", family.about);
    }
}

fn write(run: &Run, json: Option<&Place>) -> Result<(), BenchError> {
    json.map_or(Ok(()), |place| place.write(&run.json()))
}

fn compared(arguments: &CompareArgs) -> Result<Exit, BenchError> {
    if !(arguments.tolerance.is_finite() && arguments.tolerance >= 0.0) {
        return Err(BenchError::Usage(
            "--tolerance must be percent that are not negative".to_owned(),
        ));
    }
    let (first, second) = (Run::read(&arguments.first)?, Run::read(&arguments.second)?);
    let found = compare(&first, &second, arguments.tolerance / 100.0)?;
    say(&None, found.text().trim_end());
    Ok(if found.regressed() {
        Exit::Wrong
    } else {
        Exit::Done
    })
}
