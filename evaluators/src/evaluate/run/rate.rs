//! How fast the processors multiply.

use gradus_kernels::linear::{Output, PackedWeights, RowPanels, product};
use gradus_kernels::{Cpu, Params};
use std::time::Instant;

/// FLOP/s of the matrix product on one thread, measured for a few hundredths of a second.
pub(crate) fn product_rate(cpu: &Cpu) -> f64 {
    const SIZES: (usize, usize, usize) = (192, 512, 1024);
    let (rows, out, inner) = SIZES;
    let (x, w) = (vec![0.5; rows * inner], vec![0.25; out * inner]);
    let mut packed = PackedWeights::new();
    packed.pack(cpu, Params::from_f32(&w, out, inner));
    let mut panels = RowPanels::default();
    panels.pack(cpu.isa(), &x, rows, inner, inner);
    let mut y = vec![0.0; rows * out];
    let mut best = f64::INFINITY;
    for _ in 0..8 {
        let start = Instant::now();
        product(cpu.isa(), &panels, &packed, &mut y, out, Output::Set);
        best = best.min(start.elapsed().as_secs_f64());
    }
    2.0 * (rows * out * inner) as f64 / best.max(1e-9)
}
