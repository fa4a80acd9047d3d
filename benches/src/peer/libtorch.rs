//! LibTorch, through tch. On a CPU it computes in f32 from f32, as our kernels do, with weights widened before it is timed; on a
//! GPU from bf16. Its f64 is written from definitions, not with the functions that are timed.

mod attention;
mod products;
mod rows;
#[cfg(test)]
mod tests;

use super::problem::{Held, Matrix, Op, Problem, Values};
use super::{Peer, PeerError, Place, Prepared};
use tch::{Device, Kind, TchError, Tensor};

type Done<T> = Result<T, TchError>;

/// LibTorch on one device.
pub(super) struct LibTorch {
    device: Device,
    /// What logits and their like may take together.
    room_bytes: f64,
}

const GIB: f64 = (1_u64 << 30) as f64;

/// An operation on tensors of its own.
trait Operation {
    /// Which way it takes, where there are several.
    fn way(&self) -> String {
        String::new()
    }
    /// As it is timed.
    fn timed(&self) -> Done<Vec<Tensor>>;
    /// `rows` of the results in f64, from the definition.
    fn exact(&self, rows: &Tensor) -> Done<Vec<Tensor>>;
}

impl LibTorch {
    pub(super) fn open(place: Place) -> Result<Self, PeerError> {
        let (device, room_bytes) = match place {
            Place::Cpu { threads } => {
                tch::set_num_threads(threads as i32);
                (Device::Cpu, GIB)
            }
            Place::Gpu(ordinal) => {
                let found = tch::Cuda::device_count().max(0) as usize;
                if ordinal >= found {
                    return Err(PeerError::NoGpu { ordinal, found });
                }
                (Device::Cuda(ordinal), 4.0 * GIB)
            }
        };
        Ok(Self { device, room_bytes })
    }

    fn operation(&self, problem: &Problem<'_>) -> Done<Box<dyn Operation>> {
        Ok(match &problem.op {
            Op::Linear { x, w } => {
                Box::new(products::Linear::new(self.matrix(x)?, self.matrix(w)?)?)
            }
            Op::Head { models, tokens } => {
                let models = models
                    .iter()
                    .map(|(x, w)| Ok((self.matrix(x)?, self.matrix(w)?)));
                let models = models.collect::<Done<Vec<_>>>()?;
                Box::new(products::Head::new(
                    models,
                    self.numbers(tokens)?,
                    self.room_bytes,
                )?)
            }
            Op::Attention {
                shape,
                lengths,
                qkv,
            } => Box::new(attention::Attention::new(
                *shape,
                lengths,
                self.matrix(qkv)?,
            )?),
            Op::Norm {
                norm,
                x,
                weight,
                eps,
                out,
            } => Box::new(rows::Normed {
                norm: *norm,
                x: self.matrix(x)?,
                weight: Tensor::f_from_slice(weight)?.f_to(self.device)?,
                eps: *eps,
                out: kind(*out),
            }),
            Op::Rope {
                x,
                head_dim,
                theta,
                positions,
            } => Box::new(rows::Rotation::new(
                self.matrix(x)?,
                *head_dim,
                *theta,
                &self.numbers(positions)?,
            )?),
            Op::Gate { kind, x } => Box::new(rows::Gated {
                activation: *kind,
                x: self.matrix(x)?,
            }),
            Op::Embedding { table, ids, scale } => Box::new(rows::Embedded {
                table: self.matrix(table)?,
                ids: self.numbers(ids)?,
                scale: *scale,
            }),
        })
    }

    fn matrix(&self, matrix: &Matrix<'_>) -> Done<Tensor> {
        let cols = matrix.cols as i64;
        let host = match matrix.values {
            Values::F32(values) => Tensor::f_from_slice(values)?.f_view([-1, cols])?,
            Values::Bf16(bytes) => {
                let rows = bytes.len() as i64 / 2 / cols.max(1);
                Tensor::f_from_data_size(bytes, &[rows, cols], Kind::BFloat16)?
            }
        };
        let first = host.f_totype(kind(matrix.held))?.f_to(self.device)?;
        let there = first.size()[0];
        if matrix.rows as i64 == there {
            return Ok(first);
        }
        let all = Tensor::f_arange(matrix.rows as i64, (Kind::Int64, self.device))?;
        first.f_index_select(0, &all.f_remainder(there)?)
    }

    fn numbers(&self, numbers: &[u32]) -> Done<Tensor> {
        let wide: Vec<i64> = numbers.iter().copied().map(i64::from).collect();
        Tensor::f_from_slice(&wide)?.f_to(self.device)
    }
}

fn kind(held: Held) -> Kind {
    match held {
        Held::F32 => Kind::Float,
        Held::Bf16 => Kind::BFloat16,
    }
}

/// `rows` of `tensor`, in f64.
fn wide_rows(tensor: &Tensor, rows: &Tensor) -> Done<Tensor> {
    tensor.f_index_select(0, rows)?.f_totype(Kind::Double)
}

/// What LibTorch says, without the stack of its own calls.
fn said(error: TchError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

impl Peer for LibTorch {
    fn library(&self) -> &'static str {
        "LibTorch"
    }

    fn prepare(&self, problem: &Problem<'_>) -> Result<Box<dyn Prepared>, String> {
        let operation = tch::no_grad(|| self.operation(problem)).map_err(said)?;
        let precision = match self.device {
            Device::Cpu => "f32",
            _ => "bf16",
        };
        Ok(Box::new(Ready {
            device: self.device,
            variant: format!("libtorch {precision}{}", operation.way()),
            operation,
            left: Vec::new(),
        }))
    }
}

struct Ready {
    device: Device,
    variant: String,
    operation: Box<dyn Operation>,
    left: Vec<Tensor>,
}

impl Ready {
    fn places(&self, rows: &[usize]) -> Done<Tensor> {
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        Tensor::f_from_slice(&rows)?.f_to(self.device)
    }
}

/// A tensor's values on the host.
fn values<T: tch::kind::Element + Copy + Default>(tensor: &Tensor) -> Done<Vec<T>> {
    let tensor = tensor
        .f_totype(T::KIND)?
        .f_to(Device::Cpu)?
        .f_contiguous()?;
    let mut values = vec![T::default(); tensor.numel()];
    tensor.f_copy_data(&mut values, tensor.numel())?;
    Ok(values)
}

impl Prepared for Ready {
    fn variant(&self) -> String {
        self.variant.clone()
    }

    fn run(&mut self) -> Result<(), String> {
        self.left.clear();
        self.left = tch::no_grad(|| self.operation.timed()).map_err(said)?;
        Ok(())
    }

    fn left(&self, rows: &[usize]) -> Result<Vec<Vec<f32>>, String> {
        let places = self.places(rows).map_err(said)?;
        let of = |result: &Tensor| values(&result.f_index_select(0, &places)?);
        let left: Done<_> = self.left.iter().map(of).collect();
        left.map_err(said)
    }

    fn exact(&self, rows: &[usize]) -> Result<Vec<Vec<f64>>, String> {
        let exact = || -> Done<Vec<Vec<f64>>> {
            let results = self.operation.exact(&self.places(rows)?)?;
            results.iter().map(values).collect()
        };
        tch::no_grad(exact).map_err(said)
    }
}
