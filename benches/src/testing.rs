//! Results that were made up.

use crate::clock::Percentiles;
use crate::result::{Bound, Limit, Machine, Measured, OURS, Peaks, Row, Run};

/// A result with rows of a family, a shape and median microseconds.
pub(crate) fn run(kind: &str, rows: &[(&str, &str, f64)]) -> Run {
    let peaks = Peaks {
        gflop_s: 100.0,
        gb_s: 10.0,
        how: "made up".to_owned(),
        datasheet: None,
    };
    let mut run = Run::new(kind, Machine::default(), Some(peaks));
    let around = |p50: f64| Percentiles {
        p10: p50 * 0.9,
        p50,
        p90: p50 * 1.1,
    };
    run.rows = rows
        .iter()
        .map(|(family, shape, us)| Row {
            family: (*family).to_owned(),
            shape: (*shape).to_owned(),
            variant: OURS.to_owned(),
            measured: Measured {
                us: around(*us),
                wall_us: None,
                warm_us: None,
                flop: 1e5,
                bytes: 1e4,
                limit: Some(Limit {
                    bound: Bound::Compute,
                    roof_gflop_s: 100.0,
                    roof_gb_s: 10.0,
                    percent: around(50.0),
                }),
                samples: 3,
                runs: 1,
                worst_error: Some(0.5),
                prepare_us: None,
                datasheet_percent: None,
            },
            ours_over_this: None,
            eval: None,
        })
        .collect();
    run
}
