use super::Pcg64;
use crate::scoring::bootstrap::tests::golden;

#[test]
fn words_and_bounded_integers_equal_numpys() {
    let golden = golden();
    let cases = golden["generator"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let seed = case["seed"].as_u64().unwrap();
        let mut random = Pcg64::new(seed);
        for (index, word) in case["words"].as_array().unwrap().iter().enumerate() {
            assert_eq!(
                random.next_u64(),
                word.as_u64().unwrap(),
                "seed {seed}, word {index}"
            );
        }
        // One generator for all bounds: nine draws each leave a half-used word behind.
        let mut random = Pcg64::new(seed);
        for pair in case["below"].as_array().unwrap() {
            let bound = u32::try_from(pair[0].as_u64().unwrap()).unwrap();
            for (index, expected) in pair[1].as_array().unwrap().iter().enumerate() {
                let drawn = random.below(bound);
                assert_eq!(
                    u64::from(drawn),
                    expected.as_u64().unwrap(),
                    "seed {seed}, bound {bound}, draw {index}"
                );
            }
        }
    }
}

#[test]
fn a_bound_of_one_draws_nothing() {
    let mut random = Pcg64::new(9);
    assert_eq!((random.below(1), random.below(0)), (0, 0));
    assert_eq!(random.next_u64(), Pcg64::new(9).next_u64());
}
