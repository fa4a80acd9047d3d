//! What these kernels compute, for a peer.

use super::{EPS, Op, RowsBench, SCALE, THETA};
use crate::peer::problem::{self, Held, Matrix, Norm, Problem};

/// The problem of `bench`, if it is one that peers have.
pub(super) fn of(bench: &RowsBench) -> Option<Problem<'_>> {
    let x = Matrix::f32(&bench.host, bench.cols);
    let norm = |norm, x, out| problem::Op::Norm {
        norm,
        x,
        weight: &bench.weight,
        eps: EPS,
        out,
    };
    let narrow = x.held(Held::Bf16);
    let (name, op) = match &bench.op {
        Op::RmsNorm => ("norm", norm(Norm::Rms, x, Held::Bf16)),
        Op::HeadNorm => ("norm", norm(Norm::Rms, narrow, Held::Bf16)),
        Op::LayerNorm => ("norm", norm(Norm::Layer, x, Held::Bf16)),
        Op::Rotate { head_dim, .. } => {
            let op = problem::Op::Rope {
                x: narrow,
                head_dim: *head_dim,
                theta: THETA,
                positions: &bench.ids,
            };
            ("rope", op)
        }
        Op::Gate(kind) => {
            let op = problem::Op::Gate {
                kind: *kind,
                x: narrow,
            };
            ("gate", op)
        }
        Op::Embedding => {
            let op = problem::Op::Embedding {
                table: narrow,
                ids: &bench.ids,
                scale: f64::from(SCALE),
            };
            ("embedding", op)
        }
        Op::AddNormed | Op::Gather | Op::DoraScale { .. } => return None,
    };
    Some(Problem {
        rows: bench.out_rows,
        op,
        results: vec![(name, bench.allowed())],
    })
}
