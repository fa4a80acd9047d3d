//! How long the paired bootstrap takes on one core, and what it gives, so that numpy's can be put beside it.
//!
//! Prints one line of JSON: rows, resamples, repeats, fastest and median milliseconds, and the bits of both lower bounds.
//!
//! ```text
//! cargo run --release -p gradus-tasks --example bootstrap -- 1000 10000 30
//! ```
use gradus_tasks::RuleSet;
use gradus_tasks::scoring::Duel;
use gradus_tasks::scoring::pcg64::Pcg64;
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| {
        let given = arguments
            .next()
            .map(|text| text.parse().expect("a whole number"));
        given.unwrap_or(default)
    };
    let (rows, resamples, repeats) = (number(1000), number(10_000), number(30).max(1));
    let mut rules = RuleSet::newest().paired;
    rules.resamples = resamples;
    let mut random = Pcg64::new(1);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let boss: Vec<Option<f64>> = (0..rows).map(|_| Some(uniform() * 4.0)).collect();
    let challenger: Vec<Option<f64>> = boss
        .iter()
        .map(|boss| boss.map(|boss| boss - (0.05 + 0.2 * (uniform() - 0.5))))
        .collect();
    let duel = Duel::new(&challenger, "set", &boss, "set", rules.dead_zone)
        .expect("both vectors are of one set");
    let mut times_ms = Vec::with_capacity(repeats);
    let mut bounds = None;
    for _ in 0..repeats {
        let start = Instant::now();
        bounds = std::hint::black_box(&duel).bounds(&rules);
        times_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times_ms.sort_by(f64::total_cmp);
    let bounds = bounds.expect("there are rows");
    println!(
        "{{\"rows\": {rows}, \"resamples\": {resamples}, \"repeats\": {repeats}, \"ms_fastest\": {:.2}, \"ms_median\": {:.2}, \
         \"win_rate_lower\": {}, \"gap_lower\": {}}}",
        times_ms[0],
        times_ms[repeats / 2],
        bounds.win_rate_lower.unwrap_or(0.0).to_bits(),
        bounds.gap_lower.to_bits(),
    );
}
