//! What one core can do, measured.

use gradus_kernels::{Cpu, InstructionSet, Isa};
use std::hint::black_box;

/// Independent accumulators: two multiply-adds a cycle of four cycles' latency need eight.
const CHAINS: usize = 12;

/// Runs `rounds` rounds of fused multiply-adds in registers on every thread of `cpu`; returns floating point
/// operations, two for each lane's multiply-add.
pub fn fma_burst(cpu: &Cpu, rounds: u32) -> f64 {
    let isa = cpu.isa();
    let flops: Vec<f64> = cpu.run(|| rayon::broadcast(|_| burst(isa, rounds)));
    flops.iter().sum()
}

fn burst(isa: Isa, rounds: u32) -> f64 {
    let lanes = match isa.set() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` is only made where the machine has the set.
        InstructionSet::Avx512 => unsafe { x86::burst_avx512(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        InstructionSet::Avx2 => unsafe { x86::burst_avx2(rounds) },
        _ => portable_burst(rounds),
    };
    f64::from(rounds) * CHAINS as f64 * lanes as f64 * 2.0
}

/// Four lanes by the compiler's own vectors; multiply, then add, since `mul_add` is a function call on targets
/// that are not known to have it.
fn portable_burst(rounds: u32) -> usize {
    let (m, a) = (black_box([0.999f32; 4]), black_box([1e-3f32; 4]));
    let mut sums = [[1.0f32; 4]; CHAINS];
    for _ in 0..rounds {
        for sum in &mut sums {
            for i in 0..4 {
                sum[i] = sum[i] * m[i] + a[i];
            }
        }
    }
    black_box(sums);
    4
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::CHAINS;
    use core::arch::x86_64::*;
    use std::hint::black_box;

    #[target_feature(enable = "avx512f")]
    pub(super) fn burst_avx512(rounds: u32) -> usize {
        let (m, a) = (
            _mm512_set1_ps(black_box(0.999)),
            _mm512_set1_ps(black_box(1e-3)),
        );
        let mut sums = [_mm512_set1_ps(1.0); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, m, a);
            }
        }
        black_box(sums);
        16
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn burst_avx2(rounds: u32) -> usize {
        let (m, a) = (
            _mm256_set1_ps(black_box(0.999)),
            _mm256_set1_ps(black_box(1e-3)),
        );
        let mut sums = [_mm256_set1_ps(1.0); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, m, a);
            }
        }
        black_box(sums);
        8
    }
}

/// A copy that moves a given number of bytes, half read and half written: the roofline of kernels that do little
/// with each value, at the footprint that they have.
pub struct Copy {
    from: Vec<f32>,
    to: Vec<f32>,
    /// Where in `to` the copy goes: half a page away from where in a page `from` lies. Source and target that lie alike are
    /// several times slower on some processors, which would make for a limit that is none.
    start: usize,
}

impl Copy {
    /// A copy that moves about `bytes`.
    #[must_use]
    pub fn new(bytes: f64) -> Self {
        let n = ((bytes / 8.0) as usize).max(16);
        const PAGE: usize = 4096;
        let (from, to) = (vec![1.0; n], vec![0.0; n + PAGE / 4]);
        let places = [from.as_ptr() as usize, to.as_ptr() as usize];
        let wanted = (places[0] + PAGE / 2) % PAGE;
        let start = (wanted + PAGE - places[1] % PAGE) % PAGE / 4;
        Self { from, to, start }
    }

    /// Copies once; returns the bytes moved.
    pub fn run(&mut self) -> f64 {
        let to = &mut self.to[self.start..][..self.from.len()];
        to.copy_from_slice(black_box(&self.from));
        black_box(&mut self.to);
        self.from.len() as f64 * 8.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_counts_its_operations_on_every_thread() {
        for isa in Isa::available() {
            let lanes = match isa.set() {
                InstructionSet::Avx512 => 16.0,
                InstructionSet::Avx2 => 8.0,
                InstructionSet::Portable => 4.0,
            };
            let cpu = Cpu::with_isa(2, isa).expect("two threads start");
            assert_eq!(
                fma_burst(&cpu, 10),
                2.0 * 10.0 * 12.0 * lanes * 2.0,
                "{isa:?}"
            );
        }
    }

    #[test]
    fn a_copy_moves_what_was_asked() {
        assert_eq!(Copy::new(8000.0).run(), 8000.0);
    }
}
