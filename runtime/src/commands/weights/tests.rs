//! What the crates that `weights` joins have to agree on.

use gradus_chain::stored_values;
use gradus_tasks::subnet::max_upscaled;

/// A simulation stores a row as a submission expects to find it.
#[test]
fn a_row_is_stored_alike_in_a_simulation_and_in_a_submission() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        u16::try_from(random % below).expect("less than 65,536")
    };
    for largest in [
        1, 2, 3, 1_000, 32_767, 32_768, 32_769, 40_000, 65_535, 65_536,
    ] {
        for length in 0..40 {
            let values: Vec<u16> = (0..length).map(|_| next(largest)).collect();
            let row: Vec<(u16, u16)> = (0..).zip(values.iter().copied()).collect();
            let simulated = max_upscaled(&row).into_iter().map(|(_, value)| value);
            assert_eq!(
                simulated.collect::<Vec<u16>>(),
                stored_values(&values),
                "{values:?}"
            );
        }
    }
}
