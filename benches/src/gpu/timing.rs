//! Times of a kernel on the device, and of the copy that one which moves memory is held against.
//!
//! Before each sample a buffer twice the size of the second cache is written: inputs come from device memory, and the launch waits
//! behind that write, so that the time of launching is not in the sample. What was written has to leave the cache while the sample
//! runs, and a short run never reaches the rate of a long one: so the limit of a kernel that memory binds is no constant, but a
//! copy that moves as many bytes behind the same write, measured after each sample. `warm_us` is a run among many of one
//! graph, caches as the last run left them.

use super::{DeviceBench, Session, least_s};
use crate::clock::Percentiles;
use crate::measure::Budget;
use crate::result::{Bound, Limit, Measured};
use gradus_kernels::device::{DeviceBuffer, DeviceError, Stream};

/// A copy within device memory: half of what it moves is read, half is written.
pub(super) struct DeviceCopy {
    from: DeviceBuffer<u8>,
    to: DeviceBuffer<u8>,
}

/// The most that a copy moves, bytes: far beyond every cache, and longer than that tells nothing more.
const MOVED_MAX: f64 = 2_147_483_648.0;

impl DeviceCopy {
    /// One that moves about `bytes`, at most [`MOVED_MAX`].
    ///
    /// # Errors
    /// If memory is short.
    pub(super) fn new(stream: &Stream, bytes: f64) -> Result<Self, DeviceError> {
        let half = (bytes.min(MOVED_MAX) / 2.0).ceil().max(1.0) as usize;
        Ok(Self {
            from: stream.alloc_zeroed("the copy's source", half)?,
            to: stream.alloc_zeroed("the copy's target", half)?,
        })
    }

    pub(super) fn run(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        stream.copy(self.from.view(), &mut self.to.view_mut())
    }

    /// Its rate if a run takes `seconds`, 1e9 bytes a second.
    pub(super) fn gb_s(&self, seconds: f64) -> f64 {
        2.0 * self.from.len() as f64 / seconds / 1e9
    }
}

/// Seconds on the device of what `run` gives to `stream`; what an event cannot tell from nothing is a microsecond.
pub(super) fn timed(
    stream: &Stream,
    run: impl FnOnce(&Stream) -> Result<(), DeviceError>,
) -> Result<f64, DeviceError> {
    let begun = stream.record(true)?;
    run(stream)?;
    let ended = stream.record(true)?;
    Ok(f64::from(begun.elapsed_ms(&ended)?).max(1e-3) / 1e3)
}

impl Session {
    /// Times `bench`, whose results were `worst_error` off, by events of `stream`.
    pub(super) fn measure(
        &mut self,
        bench: &mut dyn DeviceBench,
        stream: &Stream,
        budget: Budget,
        worst_error: f64,
    ) -> Result<Measured, DeviceError> {
        let work = bench.work();
        let once_s = self.sample(bench, stream)?;
        let peaks = self.peaks.as_ref().map(|peaks| (peaks.gflop_s, peaks.gb_s));
        let least_of = |(gflop_s, gb_s)| least_s(work, gflop_s, gb_s);
        let bound = peaks.map(least_of).map(|(c, m)| Bound::of(c, m));
        let mut copy = match bound {
            Some(Bound::Memory) => DeviceCopy::new(stream, work.bytes).ok(),
            Some(Bound::Compute) | None => None,
        };
        // A sample costs its flush and its waiting, too, and so does the copy's.
        let each_s = (once_s + 2e-4) * if copy.is_some() { 2.0 } else { 1.0 };
        let samples = budget.samples.min((budget.seconds / each_s) as usize);
        let (mut us, mut copied) = (Vec::new(), Vec::new());
        for _ in 0..samples.max(3) {
            us.push(self.sample(bench, stream)? * 1e6);
            if let Some(copy) = &mut copy {
                let seconds = self.cold(stream, |stream| copy.run(stream))?;
                copied.push(copy.gb_s(seconds));
            }
        }
        let warm_us = match bench.captures() {
            true => Some(warm(bench, stream, once_s)?),
            false => None,
        };
        let percent_of =
            |limit_s: f64| us.iter().map(|us| limit_s * 1e8 / us).collect::<Vec<f64>>();
        let limit = peaks.map(|(roof_gflop_s, gb_s)| {
            // Without memory for the copy, the rate of a long one.
            let roof_gb_s = match copied[..] {
                [] => gb_s,
                _ => Percentiles::of(&copied).p50,
            };
            let (compute_s, memory_s) = least_s(work, roof_gflop_s, roof_gb_s);
            Limit {
                bound: Bound::of(compute_s, memory_s),
                roof_gflop_s,
                roof_gb_s,
                percent: Percentiles::of(&percent_of(compute_s.max(memory_s))),
            }
        });
        let sheet = self
            .peaks
            .as_ref()
            .and_then(|peaks| peaks.datasheet.as_ref());
        let datasheet_percent = sheet.map(|sheet| {
            let (compute_s, memory_s) = least_s(work, sheet.gflop_s, sheet.gb_s);
            Percentiles::of(&percent_of(compute_s.max(memory_s))).p50
        });
        Ok(Measured {
            us: Percentiles::of(&us),
            wall_us: None,
            warm_us,
            flop: work.flop,
            bytes: work.bytes,
            limit,
            samples: us.len(),
            runs: 1,
            worst_error: Some(worst_error),
            prepare_us: None,
            datasheet_percent,
        })
    }

    /// Seconds of one run out of device memory.
    fn sample(&mut self, bench: &mut dyn DeviceBench, stream: &Stream) -> Result<f64, DeviceError> {
        bench.prepare(stream)?;
        self.cold(stream, |stream| bench.run(stream))
    }

    /// Seconds of what `run` gives to `stream`, behind a write of more than the second cache.
    fn cold(
        &mut self,
        stream: &Stream,
        run: impl FnOnce(&Stream) -> Result<(), DeviceError>,
    ) -> Result<f64, DeviceError> {
        stream.fill_bytes(&mut self.flush.view_mut(), 1)?;
        timed(stream, run)
    }
}

/// Microseconds of one run among many of a graph.
fn warm(bench: &mut dyn DeviceBench, stream: &Stream, once_s: f64) -> Result<f64, DeviceError> {
    let runs = (1e-3 / once_s).ceil().clamp(1.0, 100.0) as usize;
    let graph = stream.capture(|| (0..runs).try_for_each(|_| bench.run(stream)))?;
    graph.launch()?;
    let mut us = Vec::new();
    for _ in 0..5 {
        us.push(timed(stream, |_| graph.launch())? * 1e6 / runs as f64);
    }
    Ok(Percentiles::of(&us).p50)
}
