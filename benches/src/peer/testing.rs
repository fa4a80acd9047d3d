//! A peer that knows one operation, and can be wrong on purpose.

use super::problem::{Op, Problem, Values};
use super::{Peer, Prepared};

/// Gates rows by the reference, and is off by this in f64 and when it is timed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gates {
    pub(crate) off: f64,
    pub(crate) timed_off: f32,
    /// Whether it runs at all.
    pub(crate) fails: bool,
}

struct Gated {
    what: Gates,
    cols: usize,
    exact: Vec<f64>,
}

impl Peer for Gates {
    fn library(&self) -> &'static str {
        "Gates"
    }

    fn prepare(&self, problem: &Problem<'_>) -> Result<Box<dyn Prepared>, String> {
        let Op::Gate { kind, x } = &problem.op else {
            return Err("knows gates alone".to_owned());
        };
        let Values::F32(values) = x.values else {
            return Err("takes f32 alone".to_owned());
        };
        let cols = x.cols / 2;
        let of = |row: &[f32]| {
            let (gate, up) = row.split_at(cols);
            let gated = |(g, u): (&f32, &f32)| {
                gradus_kernels::activation::reference::gated(*kind, *g, *u) + self.off
            };
            gate.iter().zip(up).map(gated).collect::<Vec<f64>>()
        };
        Ok(Box::new(Gated {
            what: *self,
            cols,
            exact: values.chunks(x.cols).flat_map(of).collect(),
        }))
    }
}

impl Prepared for Gated {
    fn variant(&self) -> String {
        "gates f64".to_owned()
    }

    fn run(&mut self) -> Result<(), String> {
        match self.what.fails {
            true => Err("no memory".to_owned()),
            false => Ok(()),
        }
    }

    fn left(&self, rows: &[usize]) -> Result<Vec<Vec<f32>>, String> {
        let exact = &self.exact(rows)?[0];
        let off = self.what.timed_off;
        Ok(vec![exact.iter().map(|v| *v as f32 + off).collect()])
    }

    fn exact(&self, rows: &[usize]) -> Result<Vec<Vec<f64>>, String> {
        let row = |row: &usize| self.exact[row * self.cols..][..self.cols].to_vec();
        Ok(vec![rows.iter().flat_map(row).collect()])
    }
}
