//! Another library that computes the same in this process: timed beside ours, and a second opinion on what ours computes.
//!
//! A kernel says as a [`Problem`] what it computes from which inputs; a [`Peer`] makes the same of copies of them. What the peer finds
//! in f64 is compared with what our kernel left, within the tolerance of our own reference, at all rows or as many as take little
//! time. Then the peer is timed as ours is, in the precision that ours has.
//!
//! | module | is about |
//! |---|---|
//! | [`problem`] | what a kernel computes |
//! | `libtorch` | LibTorch; with the feature of that name alone |

#[cfg(feature = "libtorch")]
mod libtorch;
pub mod problem;
#[cfg(test)]
pub(crate) mod testing;

use crate::measure::{Allowed, Work, compare};
use crate::result::{Failure, Row};
use problem::Problem;
use thiserror::Error;

/// Names of the peers that there can be.
pub const LIBRARIES: &[&str] = &["libtorch"];

/// Where a peer computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// The processor.
    Cpu {
        /// Threads that compute.
        threads: usize,
    },
    /// A GPU, by the driver's number.
    Gpu(usize),
}

/// Why a peer cannot be had.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PeerError {
    /// It is not part of this program.
    #[error(
        "this gradus was built without LibTorch, which --peer libtorch asks for\nhelp: install torch 2.11.0, and build with --features libtorch as docs/benchmarks.md says"
    )]
    NotBuilt,
    /// It has no such GPU.
    #[error(
        "LibTorch finds {found} GPUs, expected one with the number {ordinal}\nhelp: build with --features libtorch-cuda, which links LibTorch's part for GPUs, and see with `gradus doctor` what the driver shows"
    )]
    NoGpu {
        /// The number.
        ordinal: usize,
        /// How many there are.
        found: usize,
    },
}

/// A library.
pub trait Peer {
    /// Its name, as people write it.
    fn library(&self) -> &'static str;
    /// Copies a problem's inputs to where they are computed with.
    ///
    /// # Errors
    /// What the library says, if it has no memory or no such operation.
    fn prepare(&self, problem: &Problem<'_>) -> Result<Box<dyn Prepared>, String>;
}

/// A problem in a library's hands.
pub trait Prepared {
    /// The library, its precision, and which way it takes.
    fn variant(&self) -> String;
    /// Computes, as it is timed.
    ///
    /// # Errors
    /// What the library says.
    fn run(&mut self) -> Result<(), String>;
    /// `rows` of each result that the last run left.
    ///
    /// # Errors
    /// What the library says.
    fn left(&self, rows: &[usize]) -> Result<Vec<Vec<f32>>, String>;
    /// The same in f64, from the definition.
    ///
    /// # Errors
    /// What the library says.
    fn exact(&self, rows: &[usize]) -> Result<Vec<Vec<f64>>, String>;
}

/// Opens the library for `place`.
///
/// # Errors
/// As [`PeerError`] says.
pub fn open(place: Place) -> Result<Box<dyn Peer>, PeerError> {
    #[cfg(feature = "libtorch")]
    return Ok(Box::new(libtorch::LibTorch::open(place)?));
    #[cfg(not(feature = "libtorch"))]
    {
        let _ = place;
        Err(PeerError::NotBuilt)
    }
}

/// What a library finds in f64.
pub(crate) struct Opinion {
    library: &'static str,
    rows: Vec<usize>,
    results: Vec<(&'static str, Allowed)>,
    exact: Vec<Vec<f64>>,
}

/// A problem that was given to a library, and what it finds.
pub(crate) struct Asked {
    pub(crate) prepared: Box<dyn Prepared>,
    pub(crate) opinion: Opinion,
}

/// Gives `problem` to `peer`.
pub(crate) fn ask(peer: &dyn Peer, problem: &Problem<'_>, work: Work) -> Result<Asked, String> {
    let named = |error: String| format!("{}: {error}", peer.library());
    let prepared = peer.prepare(problem).map_err(named)?;
    let rows = problem.compared(work);
    let exact = prepared.exact(&rows).map_err(named)?;
    Ok(Asked {
        prepared,
        opinion: Opinion {
            library: peer.library(),
            rows,
            results: problem.results.clone(),
            exact,
        },
    })
}

/// A peer's own rounding, as a part of its largest result: enough for bf16, and far from what another operation would give.
const PEER: f64 = 0.02;

impl Opinion {
    /// Whose it is.
    pub(crate) fn library(&self) -> &'static str {
        self.library
    }

    /// Rows that are compared.
    pub(crate) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The largest difference of ours as a fraction of what is allowed.
    ///
    /// # Errors
    /// Where it is more than that.
    pub(crate) fn of_ours(&self, left: &[Vec<f32>]) -> Result<f64, String> {
        self.of(left, |allowed, _| allowed)
    }

    /// The largest difference of the library's own results from its f64, as a fraction of what is allowed to ours; may be above 1.
    ///
    /// # Errors
    /// If they are not of the same work.
    pub(crate) fn of_peers(&self, left: &[Vec<f32>]) -> Result<f64, String> {
        self.of(left, |allowed, exact| {
            let largest = exact.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            Allowed::new(allowed.abs + PEER * largest, allowed.rel + PEER)
        })?;
        let results = left.iter().zip(&self.exact).zip(&self.results);
        let parts = results.flat_map(|((left, exact), (_, allowed))| {
            left.iter()
                .zip(exact)
                .map(|(&left, &exact)| allowed.part(left, exact))
        });
        Ok(parts.fold(0.0, f64::max))
    }

    fn of(
        &self,
        left: &[Vec<f32>],
        allowed_by: impl Fn(Allowed, &[f64]) -> Allowed,
    ) -> Result<f64, String> {
        if (left.len(), self.exact.len()) != (self.results.len(), self.results.len()) {
            return Err(format!(
                "{} results and {} of {}, expected {}",
                left.len(),
                self.exact.len(),
                self.library,
                self.results.len()
            ));
        }
        let mut worst = 0.0_f64;
        for ((left, exact), (name, allowed)) in left.iter().zip(&self.exact).zip(&self.results) {
            let cols = exact.len() / self.rows.len().max(1);
            if left.len() != exact.len() || cols * self.rows.len() != exact.len() {
                return Err(format!(
                    "{name}: {} values and {} of {}, expected as many for each of {} rows",
                    left.len(),
                    exact.len(),
                    self.library,
                    self.rows.len()
                ));
            }
            let allowed = allowed_by(*allowed, exact);
            let rows = left.chunks(cols.max(1)).zip(exact.chunks(cols.max(1)));
            for (row, (left, exact)) in self.rows.iter().zip(rows) {
                let what = format!("{name} of row {row} by {} in f64", self.library);
                worst = worst.max(compare(left, exact, allowed, &what)?);
            }
        }
        Ok(worst)
    }
}

/// Says in each row of another library how long ours took beside it.
pub(crate) fn set_ratios(rows: &mut [Result<Row, Failure>]) {
    let ours = rows.iter().flatten().find(|row| row.is_ours());
    let Some(ours) = ours.map(|row| row.measured.us.p50) else {
        return;
    };
    for row in rows.iter_mut().flatten().filter(|row| !row.is_ours()) {
        row.ours_over_this = Some(ours / row.measured.us.p50.max(1e-9));
    }
}
