//! numpy's `default_rng(seed)`: a seed sequence, PCG64 (XSL-RR 128/64), and bounded integers by Lemire's method.
//!
//! Equal to numpy 2 bit for bit, because the subnet's decisions are made with numpy: another generator would give
//! bounds that are as good and yet differ from everyone else's.
//!
//! Sources: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random
//! Number Generation", 2014; D. Lemire, "Fast Random Integer Generation in an Interval", 2019, arXiv:1805.10941;
//! numpy's documented `SeedSequence` algorithm (M. E. O'Neill's `seed_seq_fe128`).

const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// The generator behind `numpy.random.default_rng`.
#[derive(Clone, Debug)]
pub struct Pcg64 {
    state: u128,
    increment: u128,
    // A 64-bit draw serves two 32-bit ones, low half first.
    high_half: Option<u32>,
}

impl Pcg64 {
    /// The generator that `default_rng(seed)` makes.
    pub fn new(seed: u64) -> Self {
        let [a, b, c, d] = seed_words(seed);
        let increment = (wide(c, d) << 1) | 1;
        let mut generator = Self {
            state: 0,
            increment,
            high_half: None,
        };
        generator.step();
        generator.state = generator.state.wrapping_add(wide(a, b));
        generator.step();
        generator
    }

    fn step(&mut self) {
        self.state = self
            .state
            .wrapping_mul(MULTIPLIER)
            .wrapping_add(self.increment);
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if let Some(high) = self.high_half.take() {
            return high;
        }
        let bits = self.next_u64();
        self.high_half = Some((bits >> 32) as u32);
        bits as u32
    }

    /// A uniform integer in `0..bound`, as `integers(0, bound)` of numpy's default `int64` draws it.
    ///
    /// A bound of 0 or 1 draws nothing and gives 0, as numpy does for 1.
    pub fn below(&mut self, bound: u32) -> u32 {
        if bound <= 1 {
            return 0;
        }
        let bits = self.next_u32();
        self.scale(bits, bound)
    }

    /// Fills `sample` with `values` at uniform indices, as `values[integers(0, count, size=sample.len())]` does.
    ///
    /// The same indices as [`Self::below`] gives, two a draw where none has to be drawn again.
    ///
    /// # Panics
    /// If there are fewer values than `count`.
    pub(super) fn choose(&mut self, values: &[f64], count: u32, sample: &mut [f64]) {
        let mut filled = 0;
        while filled < sample.len() {
            if count > 1 && self.high_half.is_none() {
                filled += self.choose_pairs(values, count, &mut sample[filled..]);
            }
            if let Some(slot) = sample.get_mut(filled) {
                *slot = values[self.below(count) as usize];
                filled += 1;
            }
        }
    }

    /// Fills whole pairs, up to one where a half may have to be drawn again; how many slots it filled.
    fn choose_pairs(&mut self, values: &[f64], count: u32, sample: &mut [f64]) -> usize {
        let values = &values[..count as usize];
        let mut filled = 0;
        for pair in sample.chunks_exact_mut(2) {
            let bits = self.next_u64();
            let low = (bits & 0xffff_ffff) * u64::from(count);
            let high = (bits >> 32) * u64::from(count);
            if (low as u32) < count || (high as u32) < count {
                self.high_half = Some((bits >> 32) as u32);
                pair[0] = values[self.scale(bits as u32, count) as usize];
                return filled + 1;
            }
            pair[0] = values[(low >> 32) as usize];
            pair[1] = values[(high >> 32) as usize];
            filled += 2;
        }
        filled
    }

    /// Lemire's method on 32 random bits that are already drawn.
    fn scale(&mut self, bits: u32, bound: u32) -> u32 {
        let mut product = u64::from(bits) * u64::from(bound);
        if (product as u32) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u32) < threshold {
                product = u64::from(self.next_u32()) * u64::from(bound);
            }
        }
        (product >> 32) as u32
    }
}

fn wide(high: u64, low: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

/// `SeedSequence(seed).generate_state(4, uint64)`.
fn seed_words(seed: u64) -> [u64; 4] {
    let entropy = [seed as u32, (seed >> 32) as u32, 0, 0];
    let mut constant = 0x43b0_d7e5_u32;
    let mut hash = |mut value: u32| {
        value ^= constant;
        constant = constant.wrapping_mul(0x931e_8875);
        value = value.wrapping_mul(constant);
        value ^ (value >> 16)
    };
    let mut pool = entropy.map(&mut hash);
    for source in 0..4 {
        for target in 0..4 {
            if source != target {
                let mixed = 0xca01_f9dd_u32
                    .wrapping_mul(pool[target])
                    .wrapping_sub(0x4973_f715_u32.wrapping_mul(hash(pool[source])));
                pool[target] = mixed ^ (mixed >> 16);
            }
        }
    }
    let mut constant = 0x8b51_f9dd_u32;
    let mut word = |index: usize| {
        let mut value = pool[index % 4] ^ constant;
        constant = constant.wrapping_mul(0x58f3_8ded);
        value = value.wrapping_mul(constant);
        u64::from(value ^ (value >> 16))
    };
    std::array::from_fn(|i| {
        let low = word(2 * i);
        low | (word(2 * i + 1) << 32)
    })
}

#[cfg(test)]
mod tests;
