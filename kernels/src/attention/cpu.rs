//! Attention as two blocked products around a softmax, on the panels of the linear layer.

use super::{AttentionShape, Qkv, Segment};
use crate::buffer::AlignedBuf;
use crate::cpu::Cpu;
use crate::linear::{Block, KC, PANEL, PackRows, RowPanels, pack_f32_panels, pack_rows};
use crate::simd::{Isa, Kernel, LANES, Simd, exp, soft_cap_lanes};
use core::ops::Range;
use rayon::prelude::*;

/// Positions whose values are summed in one chain; chains are anchored at position 0. Part of the numeric contract.
const POSITIONS: usize = 512;
/// Queries of one task at most; keys are packed once per task.
const TASK_QUERIES: usize = 512;
/// Score rows (queries times heads of a group) in one block, and the values they may take.
const BLOCK_ROWS: usize = 96;
const BLOCK_SCORES: usize = 96 * 1024;

/// Queries `queries` (counted inside the segment) of one segment, for one key head.
struct Task<'a> {
    segment: &'a Segment,
    queries: Range<usize>,
    kv_head: usize,
}

/// Buffers that a thread keeps between tasks.
#[derive(Default)]
struct Scratch {
    keys: Vec<f32>,
    key_panels: AlignedBuf,
    value_panels: AlignedBuf,
    queries: Vec<f32>,
    query_panels: RowPanels,
    scores: AlignedBuf,
    score_panels: RowPanels,
    values: Vec<f32>,
    sums: Vec<f32>,
}

/// The output, written by tasks at rows and heads that no other task has.
struct Out(*mut f32);

// SAFETY: tasks write disjoint (row, head) pairs: segments own different rows (checked by the caller), and a row's
// heads are split by key head.
unsafe impl Sync for Out {}

pub(super) fn attention(
    cpu: &Cpu,
    shape: &AttentionShape,
    qkv: Qkv<'_>,
    segments: &[Segment],
    out: &mut [f32],
) {
    let mut tasks = Vec::new();
    for segment in segments {
        let queries = segment.queries().len();
        for first in (0..queries).step_by(TASK_QUERIES) {
            for kv_head in 0..shape.num_kv_heads {
                tasks.push(Task {
                    segment,
                    queries: first..queries.min(first + TASK_QUERIES),
                    kv_head,
                });
            }
        }
    }
    let isa = cpu.isa();
    let out = &Out(out.as_mut_ptr());
    cpu.run(|| {
        tasks
            .par_iter()
            .for_each_init(Scratch::default, |scratch, task| {
                scratch.run(isa, shape, qkv, task, out);
            });
    });
}

impl Scratch {
    fn run(&mut self, isa: Isa, shape: &AttentionShape, qkv: Qkv<'_>, task: &Task<'_>, out: &Out) {
        let d = shape.head_dim;
        let group = shape.num_heads / shape.num_kv_heads;
        let before = task.segment.num_keys() - task.segment.queries().len();
        // Positions that the task's queries see; keys and values are held from a multiple of POSITIONS on.
        let end = before + task.queries.end;
        let lowest = shape
            .window
            .map_or(0, |w| (before + task.queries.start + 1).saturating_sub(w));
        let base = lowest / POSITIONS * POSITIONS;
        let keys = end - base;

        self.gather(qkv, task, base, end, d);
        self.key_panels.resize(keys.div_ceil(PANEL) * PANEL * d);
        pack_f32_panels(isa, &self.keys, keys, d, &mut self.key_panels);

        let most = ((BLOCK_SCORES / keys).clamp(1, BLOCK_ROWS) / group).max(1);
        let mut query = task.queries.start;
        while query < task.queries.end {
            let count = most.min(task.queries.end - query);
            let rows = count * group;
            self.queries.clear();
            for i in 0..count {
                let row = task.segment.queries().start + query + i;
                let start = row * qkv.stride + task.kv_head * group * d;
                self.queries.extend(
                    qkv.data[start..start + group * d]
                        .iter()
                        .map(|q| q * shape.scale),
                );
            }
            self.query_panels.rows = rows;
            self.query_panels.cols = d;
            pack_rows(isa, &self.queries, d, &mut self.query_panels);

            let first = before + query - base;
            let seen = first + count;
            let stride = seen.next_multiple_of(LANES);
            self.scores.resize(rows * stride);
            self.sums.resize(rows, 0.0);
            self.values.resize(rows * d, 0.0);
            isa.dispatch(Attend {
                scratch: self,
                shape,
                group,
                first,
                seen,
                stride,
                base,
                rows,
            });

            for i in 0..count {
                let row = task.segment.queries().start + query + i;
                for h in 0..group {
                    let at = i * group + h;
                    let inverse = 1.0 / self.sums[at];
                    let head = row * shape.num_heads + task.kv_head * group + h;
                    for (j, value) in self.values[at * d..(at + 1) * d].iter().enumerate() {
                        // SAFETY: `row` and the head are inside `out`, and this task's alone.
                        unsafe { *out.0.add(head * d + j) = value * inverse };
                    }
                }
            }
            query += count;
        }
    }

    /// Copies keys of positions `base..end` to rows, and values to panels `[head_dim / 32][position][32]`.
    fn gather(&mut self, qkv: Qkv<'_>, task: &Task<'_>, base: usize, end: usize, d: usize) {
        let keys = end - base;
        self.keys.resize(keys * d, 0.0);
        let panels = d.div_ceil(PANEL);
        self.value_panels.resize(panels * keys * PANEL);
        let mut position = 0;
        for range in &task.segment.keys {
            let from = base.saturating_sub(position).min(range.len());
            let to = end.saturating_sub(position).min(range.len());
            for i in from..to {
                let start = (range.start + i) * qkv.stride + task.kv_head * d;
                let at = position + i - base;
                self.keys[at * d..(at + 1) * d].copy_from_slice(&qkv.data[start + qkv.k..][..d]);
                let values = &qkv.data[start + qkv.v..][..d];
                for (panel, chunk) in values.chunks(PANEL).enumerate() {
                    let panel = &mut self.value_panels[(panel * keys + at) * PANEL..][..PANEL];
                    panel[..chunk.len()].copy_from_slice(chunk);
                    panel[chunk.len()..].fill(0.0);
                }
            }
            position += range.len();
        }
    }
}

/// Scores, softmax and values of one block of query rows.
struct Attend<'a> {
    scratch: &'a mut Scratch,
    shape: &'a AttentionShape,
    group: usize,
    /// Position of the block's first query, from `base`.
    first: usize,
    /// Positions that the block's last query sees, from `base`.
    seen: usize,
    /// Values between score rows.
    stride: usize,
    /// Position of the first key held.
    base: usize,
    rows: usize,
}

impl Kernel for Attend<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Attend {
            scratch,
            shape,
            group,
            first,
            seen,
            stride,
            base,
            rows,
        } = self;
        let d = shape.head_dim;
        // The lowest position that any query here sees; scores before it are never read as such.
        let low = shape.window.map_or(0, |w| {
            (base + first + 1).saturating_sub(w).saturating_sub(base)
        });
        let low_panel = low / PANEL * PANEL;
        // SAFETY: panels and buffers were sized for `rows`, `seen` and `d` by the caller.
        unsafe {
            for k in (0..d).step_by(KC) {
                Block {
                    a: scratch.query_panels.data[k * S::TILE_ROWS..].as_ptr(),
                    a_stride: d * S::TILE_ROWS,
                    rows,
                    b: scratch.key_panels[low_panel * d + k * PANEL..].as_ptr(),
                    b_stride: d * PANEL,
                    cols: seen - low_panel,
                    depth: KC.min(d - k),
                    c: scratch.scores[low_panel..].as_mut_ptr(),
                    c_stride: stride,
                    add: k > 0,
                }
                .run::<S>();
            }
            for row in 0..rows {
                let position = first + row / group;
                let from = shape.window.map_or(0, |w| {
                    (base + position + 1).saturating_sub(w).saturating_sub(base)
                });
                let scores = &mut scratch.scores[row * stride..(row + 1) * stride];
                scratch.sums[row] = softmax_row::<S>(scores, from, position + 1, shape.soft_cap);
            }
            // Whole blocks below every query's window hold zeros only: skip them.
            let low_block = low / POSITIONS * POSITIONS;
            let cols = seen - low_block;
            scratch.score_panels.rows = rows;
            scratch.score_panels.cols = cols;
            PackRows {
                x: &scratch.scores[low_block..],
                stride,
                out: &mut scratch.score_panels,
            }
            .run::<S>();
            let keys = scratch.value_panels.len() / (d.div_ceil(PANEL) * PANEL);
            for k in (0..cols).step_by(POSITIONS) {
                Block {
                    a: scratch.score_panels.data[k * S::TILE_ROWS..].as_ptr(),
                    a_stride: cols * S::TILE_ROWS,
                    rows,
                    b: scratch.value_panels[(low_block + k) * PANEL..].as_ptr(),
                    b_stride: keys * PANEL,
                    cols: d,
                    depth: POSITIONS.min(cols - k),
                    c: scratch.values.as_mut_ptr(),
                    c_stride: d,
                    add: k > 0,
                }
                .run::<S>();
            }
        }
    }
}

/// Replaces `scores[from..to]` by `e^(score - max)` and everything else by 0; returns their sum.
///
/// # Safety
/// The CPU has `S`'s features; `scores` is a whole number of vectors and `from < to <= scores.len()`.
#[inline(always)]
unsafe fn softmax_row<S: Simd>(
    scores: &mut [f32],
    from: usize,
    to: usize,
    cap: Option<f32>,
) -> f32 {
    let first = from / LANES * LANES;
    scores[..from].fill(0.0);
    scores[to..].fill(0.0);
    // SAFETY: vectors start at multiples of sixteen inside the row.
    unsafe {
        let p = scores.as_mut_ptr();
        let mut max = S::splat(f32::NEG_INFINITY);
        for i in (first..to).step_by(LANES) {
            let mut x = S::load(p.add(i));
            if let Some(cap) = cap {
                x = soft_cap_lanes::<S>(x, cap);
                S::store(p.add(i), x);
            }
            if i < from || i + LANES > to {
                let mut lanes = S::to_array(x);
                for (j, lane) in lanes.iter_mut().enumerate() {
                    if i + j < from || i + j >= to {
                        *lane = f32::NEG_INFINITY;
                    }
                }
                x = S::load(lanes.as_ptr());
                S::store(p.add(i), x);
            }
            max = S::max(max, x);
        }
        // A NaN score makes every weight NaN through the subtraction, whatever the maximum.
        let max = S::splat(S::largest(max));
        let mut sum = S::splat(0.0);
        for i in (first..to).step_by(LANES) {
            let e = exp::<S>(S::sub(S::load(p.add(i)), max));
            sum = S::add(sum, e);
            S::store(p.add(i), e);
        }
        S::sum(sum)
    }
}
