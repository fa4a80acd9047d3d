//! How fast outputs are taken, beside what a shell would do.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use gradus_sandbox::outputs::CollectLimits;

use super::Place;

#[test]
#[ignore = "a figure: cargo test --release -p gradus-sandbox --test outputs -- --ignored --nocapture figure"]
fn figure_collecting_a_gibibyte_against_cp_and_sha256sum() {
    let place = Place::new();
    let path = place.out.join("weights");
    let bytes = 1_u64 << 30;
    let mut state = 1_u64;
    let mut block = vec![0_u8; 1 << 20];
    let file = File::create(&path).unwrap();
    for number in 0..1024 {
        for word in block.chunks_mut(8) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all_at(&block, number << 20).unwrap();
    }
    file.sync_all().unwrap();
    let rate = |took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
    let started = Instant::now();
    let collected = place.collect(&CollectLimits::default()).unwrap();
    let ours = started.elapsed();
    let sha256 = collected.outputs()["model"].get("weights").unwrap().sha256;
    let started = Instant::now();
    assert_eq!(place.store.verify(&sha256).unwrap(), bytes);
    let hash = started.elapsed();
    let started = Instant::now();
    let script = "cp \"$1\" \"$1.copy\" && sync \"$1.copy\" && sha256sum \"$1.copy\"";
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&path)
        .output()
        .unwrap();
    let theirs = started.elapsed();
    assert!(output.status.success() && output.stdout.starts_with(sha256.to_string().as_bytes()));
    println!(
        "collect {:.0} MB/s (flushed), hash alone {:.0} MB/s, cp + sync + sha256sum {:.0} MB/s: ratio {:.2}",
        rate(ours),
        rate(hash),
        rate(theirs),
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}
