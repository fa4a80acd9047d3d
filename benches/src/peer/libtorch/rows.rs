//! What runs row by row.

use super::super::problem::Norm;
use super::{Done, Operation, wide_rows};
use gradus_kernels::activation::Activation;
use tch::{Kind, Tensor};

/// A norm of pieces of rows.
pub(super) struct Normed {
    pub(super) norm: Norm,
    pub(super) x: Tensor,
    pub(super) weight: Tensor,
    pub(super) eps: f64,
    pub(super) out: Kind,
}

impl Normed {
    /// `x` in pieces as long as the weight.
    fn pieces(&self, x: &Tensor) -> Done<Tensor> {
        x.f_view([-1, self.weight.size()[0]])
    }
}

impl Operation for Normed {
    fn timed(&self) -> Done<Vec<Tensor>> {
        let (x, group) = (self.pieces(&self.x)?, self.weight.size());
        let weight = Some(&self.weight);
        let normed = match self.norm {
            Norm::Rms => x.f_rms_norm(group, weight, self.eps)?,
            Norm::Layer => x.f_layer_norm(group, weight, None, self.eps, true)?,
        };
        Ok(vec![normed.f_totype(self.out)?.f_view_as(&self.x)?])
    }

    fn exact(&self, rows: &Tensor) -> Done<Vec<Tensor>> {
        let mut x = self.pieces(&wide_rows(&self.x, rows)?)?;
        if self.norm == Norm::Layer {
            x = x.f_sub(&x.f_mean_dim(-1, true, None)?)?;
        }
        let square = x.f_square()?.f_mean_dim(-1, true, None)?;
        let normed = x.f_div(&square.f_add_scalar(self.eps)?.f_sqrt()?)?;
        Ok(vec![normed.f_mul(&self.weight.f_totype(Kind::Double)?)?])
    }
}

/// Heads turned by their row's position.
pub(super) struct Rotation {
    /// `[rows, heads, head_dim]`
    x: Tensor,
    /// `[rows, 1, head_dim / 2]`, f64.
    angles: Tensor,
    /// `[rows, 1, head_dim]`, as x is held.
    cos: Tensor,
    sin: Tensor,
}

impl Rotation {
    pub(super) fn new(x: Tensor, head_dim: usize, theta: f64, positions: &Tensor) -> Done<Self> {
        let (rows, dim) = (x.size()[0], head_dim as i64);
        let exponents = Tensor::f_arange(dim / 2, (Kind::Double, x.device()))?;
        let frequencies = exponents
            .f_mul_scalar(-2.0 / dim as f64 * theta.ln())?
            .f_exp()?;
        let angles = positions.f_totype(Kind::Double)?.f_outer(&frequencies)?;
        let angles = angles.f_unsqueeze(1)?;
        let both = Tensor::f_cat(&[&angles, &angles], -1)?;
        Ok(Self {
            cos: both.f_cos()?.f_totype(x.kind())?,
            sin: both.f_sin()?.f_totype(x.kind())?,
            angles,
            x: x.f_view([rows, -1, dim])?,
        })
    }
}

impl Operation for Rotation {
    fn timed(&self) -> Done<Vec<Tensor>> {
        let halves = self.x.f_split(self.angles.size()[2], -1)?;
        let turned = Tensor::f_cat(&[&halves[1].f_neg()?, &halves[0]], -1)?;
        let y = self.x.f_mul(&self.cos)?.f_add(&turned.f_mul(&self.sin)?)?;
        Ok(vec![y.f_flatten(1, 2)?])
    }

    fn exact(&self, rows: &Tensor) -> Done<Vec<Tensor>> {
        let angles = self.angles.f_index_select(0, rows)?;
        let (cos, sin) = (angles.f_cos()?, angles.f_sin()?);
        let halves = wide_rows(&self.x, rows)?.f_split(angles.size()[2], -1)?;
        let [first, second] = &halves[..] else {
            return Err(tch::TchError::Shape("a head of odd size".to_owned()));
        };
        let y = [
            first.f_mul(&cos)?.f_sub(&second.f_mul(&sin)?)?,
            second.f_mul(&cos)?.f_add(&first.f_mul(&sin)?)?,
        ];
        Ok(vec![Tensor::f_cat(&y, -1)?.f_flatten(1, 2)?])
    }
}

/// A function of the first half of each row, times the second.
pub(super) struct Gated {
    pub(super) activation: Activation,
    pub(super) x: Tensor,
}

/// The first half of each row, and the second.
fn halves(x: &Tensor) -> Done<(Tensor, Tensor)> {
    let cols = x.size()[1] / 2;
    Ok((x.f_narrow(1, 0, cols)?, x.f_narrow(1, cols, cols)?))
}

impl Operation for Gated {
    fn timed(&self) -> Done<Vec<Tensor>> {
        let (gate, up) = halves(&self.x)?;
        let gate = match self.activation {
            Activation::Silu => gate.f_silu()?,
            Activation::Gelu => gate.f_gelu("none")?,
            Activation::GeluTanh => gate.f_gelu("tanh")?,
        };
        Ok(vec![gate.f_mul(&up)?])
    }

    fn exact(&self, rows: &Tensor) -> Done<Vec<Tensor>> {
        let (x, up) = halves(&wide_rows(&self.x, rows)?)?;
        // x over 1 + e^-2u is x (1 + tanh u) / 2, and half of 1 + erf is written with the complement, which keeps small values.
        let logistic = |u: Tensor| x.f_div(&u.f_neg()?.f_exp()?.f_add_scalar(1.0)?);
        let gate = match self.activation {
            Activation::Silu => logistic(x.shallow_clone())?,
            Activation::Gelu => {
                let tail = x.f_mul_scalar(-0.5_f64.sqrt())?.f_erfc()?;
                x.f_mul(&tail)?.f_mul_scalar(0.5)?
            }
            Activation::GeluTanh => {
                let cube = x.f_mul(&x)?.f_mul(&x)?.f_mul_scalar(0.044_715)?;
                let u = x.f_add(&cube)?;
                logistic(u.f_mul_scalar(2.0 * (2.0 / std::f64::consts::PI).sqrt())?)?
            }
        };
        Ok(vec![gate.f_mul(&up)?])
    }
}

/// Rows of a table in f32, scaled.
pub(super) struct Embedded {
    pub(super) table: Tensor,
    pub(super) ids: Tensor,
    pub(super) scale: f64,
}

impl Operation for Embedded {
    fn timed(&self) -> Done<Vec<Tensor>> {
        let rows = Tensor::f_embedding(&self.table, &self.ids, -1, false, false)?;
        Ok(vec![rows.f_totype(Kind::Float)?.f_mul_scalar(self.scale)?])
    }

    fn exact(&self, rows: &Tensor) -> Done<Vec<Tensor>> {
        let ids = self.ids.f_index_select(0, rows)?;
        Ok(vec![
            wide_rows(&self.table, &ids)?.f_mul_scalar(self.scale)?,
        ])
    }
}
