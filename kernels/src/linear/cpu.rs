//! Packing and the blocked product.
//!
//! ```text
//! for block of 1024 inner dimensions:              (KC: weights stream from the second cache)
//!     for panel of 32 output features:              weights  [panel][in][32]   f32, widened once
//!         for panel of TILE_ROWS rows:              rows     [panel][in][TILE_ROWS]
//!             tile: registers += row panel x weight panel, then c (+)= registers
//! ```

use super::{KC, PANEL, PackedWeights, RowPanels};
use crate::linear::tile::Target;
use crate::params::{ParamDtype, Params};
use crate::simd::{Isa, Kernel, LANES, Simd};

/// One block, at most [`KC`] deep, of a product.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// First row panel, at the block's first inner index.
    pub(crate) a: *const f32,
    /// Elements between row panels.
    pub(crate) a_stride: usize,
    /// Rows.
    pub(crate) rows: usize,
    /// First weight panel, at the block's first inner index.
    pub(crate) b: *const f32,
    /// Elements between weight panels.
    pub(crate) b_stride: usize,
    /// Columns.
    pub(crate) cols: usize,
    /// Inner indices, at most [`KC`].
    pub(crate) depth: usize,
    /// Output, top left.
    pub(crate) c: *mut f32,
    /// Elements between output rows.
    pub(crate) c_stride: usize,
    /// Add to the output.
    pub(crate) add: bool,
}

impl Block {
    /// Computes the block.
    ///
    /// # Safety
    /// The CPU has `S`'s features and every pointer is valid for what the fields say.
    #[inline(always)]
    pub(crate) unsafe fn run<S: Simd>(self) {
        let wide = LANES * S::TILE_VECS;
        for panel in 0..self.cols.div_ceil(PANEL) {
            let first = panel * PANEL;
            let cols = PANEL.min(self.cols - first);
            for part in (0..cols).step_by(wide) {
                let left = cols - part;
                for row in (0..self.rows).step_by(S::TILE_ROWS) {
                    // SAFETY: all offsets are inside the areas that the caller vouches for.
                    unsafe {
                        let a = self.a.add(row / S::TILE_ROWS * self.a_stride);
                        let b = self.b.add(panel * self.b_stride + part);
                        let target = Target {
                            c: self.c.add(row * self.c_stride + first + part),
                            stride: self.c_stride,
                            rows: self.rows - row,
                            cols: left,
                            add: self.add,
                        };
                        if left <= LANES {
                            S::narrow_tile(self.depth, a, b, target);
                        } else {
                            S::tile(self.depth, a, b, target);
                        }
                    }
                }
            }
        }
    }
}

/// Output columns computed between two changes of the inner block: their sums stay in the second cache.
const NC: usize = 512;

/// `c (+)= a * w^T` for one block of rows.
pub(crate) struct Product<'a> {
    pub(crate) a: &'a RowPanels,
    pub(crate) w: &'a PackedWeights,
    pub(crate) c: &'a mut [f32],
    pub(crate) c_stride: usize,
    pub(crate) add: bool,
}

impl Kernel for Product<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Product {
            a,
            w,
            c,
            c_stride,
            add,
        } = self;
        let depth = a.cols;
        for col in (0..w.out_features).step_by(NC) {
            let cols = NC.min(w.out_features - col);
            for k in (0..depth).step_by(KC) {
                let block = Block {
                    a: a.data[k * S::TILE_ROWS..].as_ptr(),
                    a_stride: depth * S::TILE_ROWS,
                    rows: a.rows,
                    b: w.data[col / PANEL * depth * PANEL + k * PANEL..].as_ptr(),
                    b_stride: depth * PANEL,
                    cols,
                    depth: KC.min(depth - k),
                    c: c[col..].as_mut_ptr(),
                    c_stride,
                    add: add || k > 0,
                };
                // SAFETY: `linear::product` checked that the panels and `c` hold these shapes.
                unsafe { block.run::<S>() };
            }
        }
    }
}

/// Packs rows of activations: `[rows, cols]` f32, `stride` apart, into `[panel][cols][TILE_ROWS]`.
pub(crate) struct PackRows<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) out: &'a mut RowPanels,
}

impl Kernel for PackRows<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (rows, cols) = (self.out.rows, self.out.cols);
        let tile = S::TILE_ROWS;
        let panels = rows.div_ceil(tile);
        // One spare vector: transposed lanes are stored sixteen at a time and the next step overwrites the excess.
        self.out.data.resize(panels * tile * cols + LANES);
        let whole = cols - cols % LANES;
        for panel in 0..panels {
            let first = panel * tile;
            let have = tile.min(rows - first);
            let out = self.out.data[panel * tile * cols..].as_mut_ptr();
            let x = self.x[first * self.stride..].as_ptr();
            // SAFETY: reads stay in `have` rows of `cols` values, writes in this panel plus the spare vector.
            unsafe {
                for k in (0..whole).step_by(LANES) {
                    let mut block = [S::splat(0.0); LANES];
                    for (i, row) in block.iter_mut().enumerate().take(have) {
                        *row = S::load(x.add(i * self.stride + k));
                    }
                    S::transpose(&mut block);
                    for (step, lanes) in block.into_iter().enumerate() {
                        S::store(out.add((k + step) * tile), lanes);
                    }
                }
                for k in whole..cols {
                    for i in 0..tile {
                        let value = if i < have {
                            *x.add(i * self.stride + k)
                        } else {
                            0.0
                        };
                        *out.add(k * tile + i) = value;
                    }
                }
            }
        }
    }
}

/// Packs and widens weight panels `[panel][cols][32]`; `out` starts at the panel of `w`'s first row.
pub(crate) struct PackWeights<'a> {
    pub(crate) w: Params<'a>,
    pub(crate) out: &'a mut [f32],
}

impl Kernel for PackWeights<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (rows, cols) = (self.w.rows(), self.w.cols());
        let size = self.w.dtype().size_bytes();
        let bytes = self.w.bytes();
        assert!(
            self.out.len() >= rows.div_ceil(PANEL) * PANEL * cols,
            "panels hold every row"
        );
        let whole = cols - cols % LANES;
        for half in 0..rows.div_ceil(PANEL) * 2 {
            let first = half * LANES;
            let have = LANES.min(rows.saturating_sub(first));
            let start = half / 2 * PANEL * cols + half % 2 * LANES;
            let start = start.min(self.out.len());
            let out = self.out[start..].as_mut_ptr();
            for k in (0..whole).step_by(LANES) {
                // SAFETY: sixteen values from column `k` exist in each of the `have` rows; the sixteen stores end
                // inside this panel.
                unsafe {
                    let mut block = [S::splat(0.0); LANES];
                    for (i, row) in block.iter_mut().enumerate().take(have) {
                        let p = bytes.as_ptr().add(((first + i) * cols + k) * size);
                        *row = match self.w.dtype() {
                            ParamDtype::F32 => S::load(p.cast()),
                            ParamDtype::Bf16 => S::load_bf16(p.cast()),
                            ParamDtype::F16 => S::load_f16(p.cast()),
                        };
                    }
                    S::transpose(&mut block);
                    for (step, lanes) in block.into_iter().enumerate() {
                        S::store(out.add((k + step) * PANEL), lanes);
                    }
                }
            }
            for k in whole..cols {
                for i in 0..LANES {
                    let value = if i < have {
                        self.w.get(first + i, k)
                    } else {
                        0.0
                    };
                    // SAFETY: inside this panel.
                    unsafe { *out.add(k * PANEL + i) = value };
                }
            }
        }
    }
}

/// Packs with the instruction set that the product will use.
pub(crate) fn pack_rows(isa: Isa, x: &[f32], stride: usize, out: &mut RowPanels) {
    isa.dispatch(PackRows { x, stride, out });
}

/// Packs f32 rows as weight panels `[panel][cols][32]`.
pub(crate) fn pack_f32_panels(isa: Isa, x: &[f32], rows: usize, cols: usize, out: &mut [f32]) {
    let w = Params::from_f32(&x[..rows * cols], rows, cols);
    isa.dispatch(PackWeights { w, out });
}
