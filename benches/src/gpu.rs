//! Kernels of a GPU, shape by shape.
//!
//! Each is compared with its reference on some of its rows, then timed (`timing.rs`): out of device memory, and beside a copy of
//! as many bytes if bytes are what binds it.

mod attention;
mod drawn;
mod head;
mod linear;
mod peer;
mod rows;
mod sheet;
mod timing;

use crate::data::random;
use crate::kernels::footprint;
use crate::measure::{Budget, Work};
use crate::peer::problem::Problem;
use crate::peer::{Peer, set_ratios};
use crate::result::{Failure, Machine, OURS, Peaks, Row, Run};
use crate::shape::Shape;
use gradus_kernels::device::{DeviceBuffer, DeviceError, Gpu, Stream};
use half::bf16;
use std::sync::Arc;
use timing::{DeviceCopy, timed};

/// A kernel at a shape, inputs on the device.
pub(crate) trait DeviceBench {
    /// What a run does.
    fn work(&self) -> Work;
    /// Whether runs can be recorded as a graph: they allocate nothing, and one does not change what the next starts from.
    fn captures(&self) -> bool {
        true
    }
    /// Before each run that is timed, and not part of it.
    fn prepare(&mut self, _stream: &Stream) -> Result<(), DeviceError> {
        Ok(())
    }
    /// Gives the kernel to `stream`.
    fn run(&mut self, stream: &Stream) -> Result<(), DeviceError>;
    /// Runs once on fresh inputs and compares some rows with the reference: the largest difference as a fraction of what is
    /// allowed, or what is wrong.
    fn check(&mut self, stream: &Stream) -> Result<f64, String>;
    /// What it computes, for a peer; `None` if none does.
    fn problem(&self) -> Option<Problem<'_>> {
        None
    }
    /// What the last run left at `rows` of each of the problem's results.
    fn left(&self, _stream: &Stream, _rows: &[usize]) -> Result<Vec<Vec<f32>>, DeviceError> {
        Ok(Vec::new())
    }
}

/// An open GPU, and what measuring on it needs.
pub struct Session {
    gpu: Arc<Gpu>,
    stream: Stream,
    flush: DeviceBuffer<u8>,
    peaks: Option<Peaks>,
    peer: Option<Box<dyn Peer>>,
}

/// GPUs that the driver shows.
///
/// # Errors
/// If a driver is there and does not start.
pub fn count() -> Result<usize, DeviceError> {
    Gpu::count()
}

impl Session {
    /// Opens GPU `ordinal` and measures what it can do; `tiny`: with sizes that take no time.
    ///
    /// # Errors
    /// If there is no such GPU, or it does not take the simplest work.
    pub fn open(ordinal: usize, tiny: bool) -> Result<Self, DeviceError> {
        let mut session = Self::without_peaks(ordinal, tiny)?;
        session.peaks = Some(Peaks {
            gflop_s: 0.0,
            gb_s: session.copy_gb_s(tiny)?,
            how: "measured: copies within device memory".to_owned(),
            datasheet: sheet::of(&session.gpu.info().name),
        });
        session.compute_peak(tiny);
        Ok(session)
    }

    /// Opens GPU `ordinal` and runs nothing on it: what a profiler sees is then what is asked for. Rows have no limit.
    ///
    /// # Errors
    /// If there is no such GPU, or memory is short.
    pub fn without_peaks(ordinal: usize, tiny: bool) -> Result<Self, DeviceError> {
        let gpu = Gpu::open(ordinal)?;
        let stream = gpu.stream()?;
        let flush_bytes = if tiny {
            4096
        } else {
            (2 * gpu.info().l2_bytes as usize).max(64 << 20)
        };
        let flush = stream.alloc_zeroed("the buffer that empties the cache", flush_bytes)?;
        Ok(Self {
            peaks: None,
            gpu,
            stream,
            flush,
            peer: None,
        })
    }

    /// From now on measures what `peer` needs, too.
    pub fn set_peer(&mut self, peer: Option<Box<dyn Peer>>) {
        self.peer = peer;
    }

    /// What measures.
    pub(crate) fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// What it can do, if that was measured.
    pub(crate) fn peaks(&self) -> Option<&Peaks> {
        self.peaks.as_ref()
    }

    /// A large product, cuBLASLt's if it is installed, else our own; if that is wrong the datasheet's arithmetic, or none.
    fn compute_peak(&mut self, tiny: bool) {
        let text = if tiny {
            "linear:64x64x64"
        } else {
            "linear:8192x8192x8192"
        };
        let shape: Shape = text.parse().expect("written by hand");
        let budget = Budget {
            samples: 10,
            seconds: 0.5,
        };
        let vendor = self.vendor_row(&shape, budget).and_then(Result::ok);
        let found = vendor.or_else(|| {
            let (bench, stream) = (self.build(&shape).ok()?, self.stream.clone());
            self.checked(&shape, bench, &stream, OURS, budget).ok()
        });
        let peaks = self.peaks.as_mut().expect("open measures memory first");
        if let Some(row) = found {
            peaks.gflop_s = row.measured.gflop_s();
            let how = format!("; {}'s product {}", row.variant, shape.sizes());
            peaks.how.push_str(&how);
        } else if let Some(sheet) = &peaks.datasheet {
            peaks.gflop_s = sheet.gflop_s;
            peaks
                .how
                .push_str("; arithmetic by the datasheet, not measured");
        }
    }

    fn copy_gb_s(&self, tiny: bool) -> Result<f64, DeviceError> {
        let room = self.gpu.info().memory_bytes / 16;
        let bytes = if tiny { 1 << 16 } else { room.min(1 << 30) };
        let mut copy = DeviceCopy::new(&self.stream, 2.0 * bytes as f64)?;
        let mut best = 0.0_f64;
        for _ in 0..if tiny { 2 } else { 10 } {
            let seconds = timed(&self.stream, |stream| copy.run(stream))?;
            best = best.max(copy.gb_s(seconds));
        }
        Ok(best)
    }

    /// A result without rows.
    #[must_use]
    pub fn run(&self) -> Run {
        let info = self.gpu.info();
        let machine = Machine {
            device: format!("cuda:{}", info.ordinal),
            name: info.name.clone(),
            clock: "device".to_owned(),
            isa: format!("sm_{}{}", info.capability.0, info.capability.1),
            threads: 0,
            sm_count: Some(info.sm_count),
            memory_bytes: Some(info.memory_bytes),
            driver: Some(format!(
                "CUDA {}.{}",
                info.driver_version / 1000,
                info.driver_version % 1000 / 10
            )),
        };
        Run::new("kernels", machine, self.peaks.clone())
    }

    /// Measures `shape`, and what else in this process computes the same: cuBLASLt, for products, and the peer.
    pub fn rows(&mut self, shape: &Shape, budget: Budget) -> Vec<Result<Row, Failure>> {
        let mut rows = match self.build(shape) {
            Ok(bench) => self.beside_peer(shape, bench, budget),
            Err(failure) => vec![Err(failure)],
        };
        rows.extend(self.vendor_row(shape, budget));
        set_ratios(&mut rows);
        rows
    }

    fn vendor_row(&mut self, shape: &Shape, budget: Budget) -> Option<Result<Row, Failure>> {
        if footprint(shape) > 0.9 * self.gpu.info().memory_bytes as f64 {
            return None;
        }
        let (bench, variant) = match linear::vendor(&self.stream, shape) {
            Ok(found) => found?,
            Err(error) => return Some(Err(Failure::of(shape, error.to_string(), false))),
        };
        let stream = self.stream.clone();
        Some(self.checked(shape, bench, &stream, &variant, budget))
    }

    /// Makes ours at `shape`.
    ///
    /// # Errors
    /// If GPUs have no such kernel (skipped), or memory is short.
    fn build(&self, shape: &Shape) -> Result<Box<dyn DeviceBench>, Failure> {
        let failure = |reason: String, skipped: bool| Failure::of(shape, reason, skipped);
        let (needs, memory) = (footprint(shape), self.gpu.info().memory_bytes as f64);
        if needs > 0.9 * memory {
            let reason = format!(
                "needs about {:.1} GB, the GPU has {:.1} GB",
                needs / 1e9,
                memory / 1e9
            );
            return Err(failure(reason, true));
        }
        let built = match shape.family() {
            "attention" => attention::build(&self.stream, shape).map(Some),
            "linear" => linear::build(&self.stream, shape).map(Some),
            "cross_entropy" => head::build(&self.stream, shape, 1).map(Some),
            "kl" => head::build(&self.stream, shape, 2).map(Some),
            _ => rows::build(&self.stream, shape),
        };
        let bench = built.map_err(|error| failure(error.to_string(), false))?;
        bench.ok_or_else(|| {
            let reason = match shape.family() {
                "lora" => "on a GPU an adapter is part of its product: measure linear with rank="
                    .to_owned(),
                family => format!("{family} is not measured on GPUs"),
            };
            failure(reason, true)
        })
    }

    /// Compares with the reference, then measures, by events of `stream`, into which `bench` gives its work.
    fn checked(
        &mut self,
        shape: &Shape,
        mut bench: Box<dyn DeviceBench + '_>,
        stream: &Stream,
        variant: &str,
        budget: Budget,
    ) -> Result<Row, Failure> {
        let worst_error = bench.check(stream).map_err(|difference| {
            let reason = format!("{variant} disagrees with the reference: {difference}");
            Failure::of(shape, reason, false)
        })?;
        let measured = self
            .measure(bench.as_mut(), stream, budget, worst_error)
            .map_err(|error| Failure::of(shape, error.to_string(), false))?;
        Ok(Row::of(shape, variant, measured))
    }
}

/// Seconds that arithmetic and memory need; a limit that is not known limits nothing.
pub(crate) fn least_s(work: Work, gflop_s: f64, gb_s: f64) -> (f64, f64) {
    let over = |amount: f64, giga_s: f64| {
        if giga_s > 0.0 {
            amount / giga_s / 1e9
        } else {
            0.0
        }
    };
    (over(work.flop, gflop_s), over(work.bytes, gb_s))
}

/// `n` values of which about a million are drawn and the rest repeat them: drawing more would take longer than measuring.
fn drawn(n: usize, seed: u64) -> Vec<f32> {
    const DRAWN: usize = 999_983;
    let values = random(n.min(DRAWN), seed);
    values.iter().copied().cycle().take(n).collect()
}

/// `rows` of a bf16 matrix at an aligned stride.
fn narrow_rows(
    stream: &Stream,
    matrix: &DeviceBuffer<bf16>,
    rows: &[usize],
    cols: usize,
) -> Result<Vec<f32>, DeviceError> {
    let stride = gradus_kernels::device::aligned_stride(cols);
    let mut values = Vec::with_capacity(rows.len() * cols);
    for row in rows {
        let row = stream.download(matrix.slice(row * stride..row * stride + cols))?;
        values.extend(row.into_iter().map(bf16::to_f32));
    }
    Ok(values)
}

/// Rows at an aligned stride, as the device takes them.
fn padded<T: Copy + Default>(values: &[T], cols: usize) -> Vec<T> {
    let stride = gradus_kernels::device::aligned_stride(cols);
    if stride == cols {
        return values.to_vec();
    }
    let mut all = Vec::with_capacity(values.len() / cols.max(1) * stride);
    for row in values.chunks(cols) {
        all.extend_from_slice(row);
        all.resize(all.len() + stride - cols, T::default());
    }
    all
}
