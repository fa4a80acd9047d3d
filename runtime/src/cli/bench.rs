//! Arguments of `gradus bench`.

use crate::bytes::ByteSize;
use crate::device_arg::DeviceArg;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use gradus_evaluators::Device;
use std::path::PathBuf;
use std::str::FromStr;

/// Arguments of `gradus bench`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub what: BenchCommand,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Time kernels against the limits of this machine, each checked against its reference first.
    Kernels(KernelsArgs),
    /// Time a whole model: synthetic weights of a shape, or a checkpoint with token ids.
    Eval(BenchEvalArgs),
    /// Put two results side by side; exit code 1 if the second is slower than tolerated.
    Compare(CompareArgs),
}

/// Arguments of `gradus bench kernels`.
#[derive(Debug, Args)]
pub struct KernelsArgs {
    /// Device to measure: cpu, cuda:N, or auto (the first GPU, else the CPU).
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: BenchDevice,

    /// Time this library beside ours, and compare ours with its f64: libtorch, if gradus was built with it.
    #[arg(long, value_name = "LIBRARY", value_parser = PossibleValuesParser::new(gradus_benches::peer::LIBRARIES))]
    pub peer: Option<String>,

    /// Only these families, with commas between them.
    #[arg(long, value_name = "FAMILY", value_delimiter = ',', value_parser = PossibleValuesParser::new(gradus_benches::shape::FAMILIES.iter().map(|f| f.name)))]
    pub only: Vec<String>,

    /// Measure this shape, such as linear:512x2048x2048, instead of the usual ones. Repeat for more.
    #[arg(long = "shape", value_name = "FAMILY:SIZES", conflicts_with = "shapes")]
    pub shape: Vec<gradus_benches::shape::Shape>,

    /// Measure the shapes that this JSON or TOML file lists.
    #[arg(long, value_name = "FILE")]
    pub shapes: Option<PathBuf>,

    /// Measure every family at sizes that take no time: whether all of it works.
    #[arg(long, conflicts_with_all = ["shape", "shapes"])]
    pub tiny: bool,

    /// Print the shapes, and what a family's sizes are, and stop.
    #[arg(long)]
    pub list: bool,

    /// Write everything that was measured to this file; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write a roofline plot to this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Threads of the CPU's kernels that use several.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub threads: u16,

    /// Instruction set of the CPU's kernels [default: the best that is here].
    #[arg(long, value_name = "SET", value_parser = PossibleValuesParser::new(crate::commands::eval::ISA_NAMES))]
    pub isa: Option<String>,

    /// On a GPU, measure no limits: for profilers, which then see the shapes alone. There is no % of limit then.
    #[arg(long)]
    pub no_peaks: bool,

    /// Samples of each shape, if there is time.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub samples: u32,

    /// Seconds for each shape's samples; three are taken in any case.
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub seconds: f64,
}

/// Arguments of `gradus bench eval`.
#[derive(Debug, Args)]
pub struct BenchEvalArgs {
    /// Directory with a checkpoint, ids.u32 and ids.json.
    #[arg(required_unless_present = "shape")]
    pub checkpoint: Option<PathBuf>,

    /// Synthetic weights of this shape instead: tiny (does it work here), 100m, 0.5b, 1.5b, 8b, or a config.json.
    #[arg(long, value_name = "SHAPE", conflicts_with = "checkpoint")]
    pub shape: Option<String>,

    /// Where synthetic weights and ids are written and stay; weights that are there already are used
    /// [default: a temporary directory].
    #[arg(long, value_name = "DIR", requires = "shape")]
    pub dir: Option<PathBuf>,

    /// Evaluate this many adapters of the model together, drawn, on every projection [default: the model alone].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub candidates: Option<u16>,

    /// Rank of these adapters.
    #[arg(long, value_name = "R", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub rank: u16,

    /// Device to measure: cpu, cuda:N, or auto (the first GPU, else the CPU).
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: BenchDevice,

    /// Rows [default: 8, or all of the checkpoint's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rows: Option<u32>,

    /// Tokens of each row, for synthetic weights.
    #[arg(long, value_name = "T", default_value_t = 512, value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    pub tokens: u32,

    /// Threads that compute, on a CPU.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub threads: u16,

    /// On a GPU, measure no limits: for profilers, which then see the model alone. There is no % of limit then.
    #[arg(long)]
    pub no_peaks: bool,

    /// Runs; every run reads and packs the weights anew.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,

    /// Memory of the host to plan with; a GPU's own is planned with as far as it is free.
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    pub memory: ByteSize,

    /// Write everything that was measured to this file; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Arguments of `gradus bench compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The result to compare with.
    pub first: PathBuf,
    /// The result that may have become slower.
    pub second: PathBuf,
    /// How much slower is no regression, percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    pub tolerance: f64,
}

/// What a benchmark runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenchDevice {
    /// The processor.
    Cpu,
    /// A GPU, by the driver's number.
    Cuda(usize),
    /// The first GPU, else the processor.
    Auto,
}

impl FromStr for BenchDevice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<DeviceArg>()?.0 {
            Device::Cpu => Ok(Self::Cpu),
            Device::Auto => Ok(Self::Auto),
            Device::Gpus(set) => match set.iter().collect::<Vec<_>>()[..] {
                [ordinal] => Ok(Self::Cuda(ordinal)),
                _ => Err(format!("`{text}`: one GPU is measured at a time")),
            },
        }
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  measured, and nothing is wrong
  1  a kernel disagrees with its reference or a peer, the second result is slower than tolerated, or the command failed
  2  the arguments do not fit

docs/benchmarks.md describes the result file.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_as_cpu_cuda_and_a_number_or_auto() {
        assert_eq!("cuda:3".parse(), Ok(BenchDevice::Cuda(3)));
        assert_eq!(
            ("cpu".parse(), "auto".parse()),
            (Ok(BenchDevice::Cpu), Ok(BenchDevice::Auto))
        );
        for bad in ["cuda", "cuda:x", "cuda:0,1"] {
            assert!(bad.parse::<BenchDevice>().is_err(), "{bad}");
        }
    }
}
