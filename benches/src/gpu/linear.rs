//! `y = x w^T`, bf16, and with a rank an adapter beside it: its first product, and its second inside the large one; with a gate what a gated layer
//! makes of the halves of y, in the same kernel where there is one. Without either also cuBLASLt's.

use super::drawn::DrawnRows;
use super::{DeviceBench, narrow_rows};
use crate::kernels::rows::activation_called;
use crate::measure::{Allowed, Work, compare};
use crate::peer::problem::{Op, Problem};
use crate::shape::Shape;
use gradus_kernels::activation::{Activation, reference::gated};
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, Stream, aligned_stride,
};
use gradus_kernels::linear::device::{LinearArgs, LinearOut, linear};
use gradus_kernels::linear::vendor::VendorLinear;
use half::bf16;

struct Linear {
    /// Rows, output features, input features.
    sizes: [usize; 3],
    x: DrawnRows,
    w: DrawnRows,
    lora: Option<Lora>,
    gate: Option<Activation>,
    /// Columns of the result.
    width: usize,
    allowed: Allowed,
    /// Whether a run allocates nothing.
    captures: bool,
    out: DeviceBuffer<bf16>,
    vendor: Option<VendorLinear>,
}

/// An adapter, and the rows between its products.
struct Lora {
    rank: usize,
    a: DrawnRows,
    b: DrawnRows,
    low: DeviceBuffer<bf16>,
}

pub(super) fn build(stream: &Stream, shape: &Shape) -> Result<Box<dyn DeviceBench>, DeviceError> {
    Ok(Box::new(Linear::new(stream, shape)?))
}

/// A product of another library, and what its rows are called.
type Vendor = (Box<dyn DeviceBench>, String);

/// cuBLASLt's product at `shape`, with the number of its algorithm; `None` if it has none or is not installed.
pub(super) fn vendor(stream: &Stream, shape: &Shape) -> Result<Option<Vendor>, DeviceError> {
    if shape.family() != "linear" || shape.count("rank").is_some() || shape.word("gate").is_some() {
        return Ok(None);
    }
    if !VendorLinear::is_installed() {
        return Ok(None);
    }
    let mut linear = Linear::new(stream, shape)?;
    let (x, w) = (linear.x.rows()?, linear.w.rows()?);
    let [rows, out, _] = linear.sizes;
    let place = DeviceRowsMut::new(linear.out.view_mut(), rows, out, aligned_stride(out))?;
    let vendor = VendorLinear::new(stream, x, w, &place)?;
    let algorithm = vendor.as_ref().and_then(VendorLinear::algorithm);
    let name = algorithm.map_or("cuBLASLt".to_owned(), |id| format!("cuBLASLt {id}"));
    linear.vendor = vendor;
    Ok(Some((Box::new(linear), name)))
}

impl Linear {
    fn new(stream: &Stream, shape: &Shape) -> Result<Self, DeviceError> {
        let sizes @ [rows, out, cols] = ["rows", "out", "in"].map(|name| shape.dim(name));
        let scale = (cols as f32).sqrt().recip();
        let lora = shape.count("rank").map(|rank| {
            Ok(Lora {
                rank,
                a: DrawnRows::new(stream, [rank, cols], scale, 3)?,
                b: DrawnRows::new(stream, [out, rank], (rank as f32).sqrt().recip(), 4)?,
                low: stream.alloc_zeroed("low-rank rows", rows * aligned_stride(rank))?,
            })
        });
        let gate = shape.word("gate").map(activation_called);
        let width = if gate.is_some() { out / 2 } else { out };
        let one_kernel = gate.is_none() || stream.gpu().is_hopper();
        Ok(Self {
            sizes,
            x: DrawnRows::new(stream, [rows, cols], 1.0, 1)?,
            w: DrawnRows::new(stream, [out, cols], scale, 2)?,
            allowed: allowed(lora.is_some(), one_kernel),
            lora: lora.transpose()?,
            gate,
            width,
            captures: one_kernel,
            out: stream.alloc_zeroed("the product", rows * aligned_stride(width))?,
            vendor: None,
        })
    }
}

/// Half a unit of bf16's eight bits; sums of order one in f32; a low-rank row that rounds the other way; halves that are rounded before the gate.
fn allowed(low_rank: bool, one_kernel: bool) -> Allowed {
    let between = if one_kernel { 0.0 } else { 8e-3 };
    Allowed::new(if low_rank { 4e-3 } else { 1e-4 } + between, 4e-3 + between)
}

/// `out = x w^T`, with an addition of low rank, and then a gate.
fn product(
    stream: &Stream,
    x: DeviceRows<'_, bf16>,
    w: DeviceRows<'_, bf16>,
    low: Option<(DeviceRows<'_, bf16>, DeviceRows<'_, bf16>)>,
    gate: Option<Activation>,
    out: &mut DeviceBuffer<bf16>,
) -> Result<(), DeviceError> {
    let cols = w.rows() / if gate.is_some() { 2 } else { 1 };
    let rows = DeviceRowsMut::new(out.view_mut(), x.rows(), cols, aligned_stride(cols))?;
    let args = LinearArgs {
        x,
        w,
        low,
        scale: None,
        bias: None,
    };
    let out = match gate {
        Some(activation) => LinearOut::Gated { rows, activation },
        None => LinearOut::Bf16(rows),
    };
    linear(stream, &args, out)
}

impl DeviceBench for Linear {
    fn work(&self) -> Work {
        let [rows, out, cols] = self.sizes.map(|size| size as f64);
        let rank = self.lora.as_ref().map_or(0.0, |lora| lora.rank as f64);
        Work {
            flop: 2.0 * rows * (out * cols + rank * (out + cols)),
            bytes: 2.0 * ((rows + out + rank) * cols + rows * self.width as f64 + rank * out),
        }
    }

    fn captures(&self) -> bool {
        self.captures
    }

    fn run(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        let (x, w) = (self.x.rows()?, self.w.rows()?);
        if let Some(vendor) = &self.vendor {
            let [rows, out, _] = self.sizes;
            let stride = aligned_stride(out);
            let mut place = DeviceRowsMut::new(self.out.view_mut(), rows, out, stride)?;
            return vendor.run(stream, x, w, &mut place);
        }
        let Some(lora) = &mut self.lora else {
            return product(stream, x, w, None, self.gate, &mut self.out);
        };
        product(stream, x, lora.a.rows()?, None, None, &mut lora.low)?;
        let stride = aligned_stride(lora.rank);
        let low = DeviceRows::new(lora.low.view(), self.sizes[0], lora.rank, stride)?;
        let low = Some((low, lora.b.rows()?));
        product(stream, x, w, low, self.gate, &mut self.out)
    }

    fn problem(&self) -> Option<Problem<'_>> {
        if self.lora.is_some() || self.gate.is_some() {
            return None;
        }
        let op = Op::Linear {
            x: self.x.matrix(),
            w: self.w.matrix(),
        };
        Some(Problem {
            rows: self.sizes[0],
            op,
            results: vec![("product", self.allowed)],
        })
    }

    fn left(&self, stream: &Stream, rows: &[usize]) -> Result<Vec<Vec<f32>>, DeviceError> {
        Ok(vec![narrow_rows(stream, &self.out, rows, self.width)?])
    }

    fn check(&mut self, stream: &Stream) -> Result<f64, String> {
        let failed = |error: DeviceError| error.to_string();
        stream
            .fill_bytes(&mut self.out.view_mut(), 0xff)
            .and_then(|()| self.run(stream))
            .map_err(failed)?;
        let (rows, width) = (self.sizes[0], self.width);
        let mut worst: f64 = 0.0;
        for row in [0, rows / 3, rows / 2, rows - 1] {
            let got = narrow_rows(stream, &self.out, &[row], width).map_err(failed)?;
            let x = self.x.host(row);
            let mut want = self.w.products(x);
            if let Some(lora) = &self.lora {
                let low = lora.a.products(x).into_iter();
                let low: Vec<f32> = low.map(|v| bf16::from_f32(v as f32).to_f32()).collect();
                let added = lora.b.products(&low);
                want.iter_mut().zip(added).for_each(|(v, add)| *v += add);
            }
            if let Some(kind) = self.gate {
                let (gates, ups) = want.split_at(width);
                let pairs = gates.iter().zip(ups);
                let one = |(gate, up): (&f64, &f64)| gated(kind, *gate as f32, *up as f32);
                want = pairs.map(one).collect();
            }
            worst = worst.max(compare(&got, &want, self.allowed, &format!("row {row}"))?);
        }
        Ok(worst)
    }
}
