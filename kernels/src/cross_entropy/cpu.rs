//! Blocks of logits in the second cache, reduced as soon as they are there.

use super::{HeadModel, HeadSums, LogitTransform, ROW_CHUNK, VOCAB_BLOCK};
use crate::buffer::AlignedBuf;
use crate::cpu::Cpu;
use crate::linear::{Block, KC, PANEL, PackWeights, RowPanels};
use crate::params::Params;
use crate::simd::{Isa, Kernel, LANES, Simd, exp, soft_cap_lanes};
use core::ops::Range;
use rayon::prelude::*;

/// One row of one block of the vocabulary.
#[derive(Clone, Copy, Default)]
struct Partial {
    max: f32,
    sum: f32,
    difference: f32,
}

/// What a task found: `[model][row]` partials and the target logits in the block.
struct BlockSums {
    partials: Vec<Vec<Partial>>,
    /// (model, target, logit)
    targets: Vec<(usize, u32, f32)>,
}

/// Buffers that a thread keeps between tasks.
#[derive(Default)]
struct Scratch {
    shared: AlignedBuf,
    own: AlignedBuf,
    low: AlignedBuf,
    logits: AlignedBuf,
    base: AlignedBuf,
}

pub(super) fn absorb(
    cpu: &Cpu,
    kl: bool,
    models: &[HeadModel<'_>],
    sums: &mut [HeadSums],
    first: usize,
    tokens: usize,
) {
    let isa = cpu.isa();
    let known: &[HeadSums] = sums;
    let blocks: Vec<BlockSums> = cpu.run(|| {
        (0..tokens.div_ceil(VOCAB_BLOCK))
            .into_par_iter()
            .map_init(Scratch::default, |scratch, block| {
                let range = block * VOCAB_BLOCK..tokens.min((block + 1) * VOCAB_BLOCK);
                scratch.block(isa, kl, models, known, first, range)
            })
            .collect()
    });
    for block in &blocks {
        for &(model, target, logit) in &block.targets {
            sums[model].logits[target as usize] = logit;
        }
    }
    cpu.run(|| {
        sums.par_iter_mut().enumerate().for_each(|(model, sums)| {
            for block in &blocks {
                for (row, partial) in block.partials[model].iter().enumerate() {
                    sums.merge(row, *partial);
                }
            }
            sums.tokens += tokens;
        });
    });
}

impl HeadSums {
    fn merge(&mut self, row: usize, partial: Partial) {
        let (max, new) = (self.max[row], f64::from(partial.max));
        // A NaN maximum must win, so that the row's loss is NaN.
        let larger = if new > max || new.is_nan() { new } else { max };
        let old_scale = if max == larger {
            1.0
        } else {
            libm::exp(max - larger)
        };
        let new_scale = if new == larger {
            1.0
        } else {
            libm::exp(new - larger)
        };
        self.max[row] = larger;
        self.sum[row] = self.sum[row] * old_scale + f64::from(partial.sum) * new_scale;
        self.difference[row] =
            self.difference[row] * old_scale + f64::from(partial.difference) * new_scale;
    }
}

impl Scratch {
    fn block(
        &mut self,
        isa: Isa,
        kl: bool,
        models: &[HeadModel<'_>],
        sums: &[HeadSums],
        first: usize,
        range: Range<usize>,
    ) -> BlockSums {
        let cols = range.len();
        let mut out = BlockSums {
            partials: models
                .iter()
                .map(|m| Vec::with_capacity(m.rows.rows))
                .collect(),
            targets: Vec::new(),
        };
        let shared = models[0].weights;
        pack(isa, &mut self.shared, shared, &range);
        let vocab_block = (first + range.start) / VOCAB_BLOCK;
        let in_block: Vec<&[u32]> = sums
            .iter()
            .map(|sums| {
                let block_of = |i: &u32| sums.targets[*i as usize].token as usize / VOCAB_BLOCK;
                let from = sums.by_block.partition_point(|i| block_of(i) < vocab_block);
                let to = sums
                    .by_block
                    .partition_point(|i| block_of(i) <= vocab_block);
                &sums.by_block[from..to]
            })
            .collect();
        // With KL all models' rows go together, chunk by chunk; without, a model's own weights are packed once.
        let chunks = models
            .iter()
            .map(|m| m.rows.chunks.len())
            .max()
            .unwrap_or(0);
        let order: Vec<(usize, usize)> = if kl {
            (0..chunks)
                .flat_map(|c| (0..models.len()).map(move |m| (m, c)))
                .collect()
        } else {
            (0..models.len())
                .flat_map(|m| (0..models[m].rows.chunks.len()).map(move |c| (m, c)))
                .collect()
        };
        let mut packed = usize::MAX;
        for (m, c) in order {
            let model = &models[m];
            let rows = &model.rows.chunks[c];
            let stride = cols.next_multiple_of(LANES);
            self.logits.resize(rows.rows * stride);
            let own = model.weights.bytes().as_ptr() != shared.bytes().as_ptr();
            if own && packed != m {
                pack(isa, &mut self.own, model.weights, &range);
                packed = m;
            }
            let panels = if own { &self.own } else { &self.shared };
            isa.dispatch(Logits {
                rows,
                panels,
                cols,
                out: &mut self.logits,
                stride,
                add: false,
            });
            if let Some((low, b)) = model.lora {
                pack(isa, &mut self.low, b, &range);
                let rows = &low.chunks[c];
                isa.dispatch(Logits {
                    rows,
                    panels: &self.low,
                    cols,
                    out: &mut self.logits,
                    stride,
                    add: true,
                });
            }
            if let Some(bias) = model.bias {
                for row in self.logits.chunks_exact_mut(stride) {
                    row.iter_mut()
                        .zip(&bias[range.clone()])
                        .for_each(|(x, b)| *x += b);
                }
            }
            let base = (kl && m > 0).then_some(&*self.base);
            let reduced = isa.dispatch(Reduce {
                logits: &mut self.logits,
                stride,
                cols,
                transform: model.transform,
                base,
            });
            out.partials[m].extend(reduced);
            let first_row = (c * ROW_CHUNK) as u32;
            let sums = &sums[m];
            let row_of = |i: &u32| sums.targets[*i as usize].row;
            let from = in_block[m].partition_point(|i| row_of(i) < first_row);
            for &i in &in_block[m][from..] {
                let target = sums.targets[i as usize];
                let row = (target.row - first_row) as usize;
                if row >= rows.rows {
                    break;
                }
                let col = target.token as usize - first - range.start;
                if col < cols {
                    out.targets.push((m, i, self.logits[row * stride + col]));
                }
            }
            if kl && m == 0 {
                core::mem::swap(&mut self.logits, &mut self.base);
            }
        }
        out
    }
}

/// Packs tokens `range` of a slab's weights.
fn pack(isa: Isa, out: &mut AlignedBuf, w: Params<'_>, range: &Range<usize>) {
    out.resize(range.len().div_ceil(PANEL) * PANEL * w.cols());
    isa.dispatch(PackWeights {
        w: w.slice_rows(range.clone()),
        out,
    });
}

/// Logits of one chunk of rows and one block of the vocabulary.
struct Logits<'a> {
    rows: &'a RowPanels,
    panels: &'a AlignedBuf,
    cols: usize,
    out: &'a mut AlignedBuf,
    stride: usize,
    add: bool,
}

impl Kernel for Logits<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let depth = self.rows.cols;
        for k in (0..depth).step_by(KC) {
            // SAFETY: panels hold `rows.rows` rows and `cols` tokens of `depth` values, `out` as many logits.
            unsafe {
                Block {
                    a: self.rows.data[k * S::TILE_ROWS..].as_ptr(),
                    a_stride: depth * S::TILE_ROWS,
                    rows: self.rows.rows,
                    b: self.panels[k * PANEL..].as_ptr(),
                    b_stride: depth * PANEL,
                    cols: self.cols,
                    depth: KC.min(depth - k),
                    c: self.out.as_mut_ptr(),
                    c_stride: self.stride,
                    add: self.add || k > 0,
                }
                .run::<S>();
            }
        }
    }
}

/// Transforms logits in place and reduces each row.
struct Reduce<'a> {
    logits: &'a mut AlignedBuf,
    stride: usize,
    cols: usize,
    transform: LogitTransform,
    base: Option<&'a [f32]>,
}

impl Kernel for Reduce<'_> {
    type Out = Vec<Partial>;
    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Vec<Partial> {
        let Reduce {
            logits,
            stride,
            cols,
            transform,
            base,
        } = self;
        let rows = logits.len() / stride;
        let mut out = Vec::with_capacity(rows);
        for row in 0..rows {
            let x = logits[row * stride..(row + 1) * stride].as_mut_ptr();
            // SAFETY: a row is a whole number of vectors; lanes past `cols` are set before they are read.
            unsafe {
                for i in cols..stride {
                    *x.add(i) = f32::NEG_INFINITY;
                }
                let mut max = S::splat(f32::NEG_INFINITY);
                for i in (0..stride).step_by(LANES) {
                    let mut v = S::load(x.add(i));
                    if transform != LogitTransform::default() {
                        v = S::mul(v, S::splat(transform.scale));
                        if let Some(cap) = transform.soft_cap {
                            v = soft_cap_lanes::<S>(v, cap);
                        }
                        if transform.round_to_bf16 {
                            let lanes = S::to_array(v).map(|x| half::bf16::from_f32(x).to_f32());
                            v = S::load(lanes.as_ptr());
                        }
                        if i + LANES > cols {
                            v = S::load_partial(
                                S::to_array(v).as_ptr(),
                                cols - i,
                                f32::NEG_INFINITY,
                            );
                        }
                        S::store(x.add(i), v);
                    }
                    max = S::max(max, v);
                }
                let top = S::largest(max);
                // All logits -inf: every exponential is 0, not NaN.
                let shift = S::splat(if top == f32::NEG_INFINITY { 0.0 } else { top });
                let mut sum = S::splat(0.0);
                let mut difference = S::splat(0.0);
                for i in (0..stride).step_by(LANES) {
                    let v = S::load(x.add(i));
                    let e = exp::<S>(S::sub(v, shift));
                    sum = S::add(sum, e);
                    if let Some(base) = base {
                        let n = LANES.min(cols - i);
                        let b = S::load_partial(base[row * stride + i..].as_ptr(), n, 0.0);
                        let v = S::load_partial(x.add(i), n, 0.0);
                        difference = S::fma(e, S::sub(v, b), difference);
                    }
                }
                out.push(Partial {
                    max: top,
                    sum: S::sum(sum),
                    difference: S::sum(difference),
                });
            }
        }
        out
    }
}
