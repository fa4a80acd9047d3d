//! A subnet's snapshot. What is read is written the same, and its epoch pays no more than there is.
#![no_main]

use gradus_tasks::subnet::Snapshot;
use gradus_tasks::yuma::epoch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Ok(subnet) = Snapshot::parse(json) else {
        return;
    };
    assert_eq!(
        Snapshot::parse(subnet.to_json().as_bytes()),
        Ok(subnet.clone())
    );
    let later = subnet.block.saturating_add(360);
    let set = subnet.with_row(0, &[(0, 3), (1, 7)], later);
    for (subnet, block) in [(&subnet, subnet.block), (&set, later)] {
        let Ok(output) = epoch(&subnet.epoch_input(block)) else {
            continue;
        };
        assert_eq!(output.neurons.len(), subnet.neurons.len());
        let paid: u128 = output
            .neurons
            .iter()
            .map(|n| u128::from(n.server_emission_rao) + u128::from(n.validator_emission_rao))
            .sum();
        // Shares are rounded to 32 bits before they are made rao: each may be one unit too large.
        let emission = u128::from(subnet.emission_rao);
        let most = emission + (emission >> 32) * subnet.neurons.len() as u128 * 2 + 2;
        assert!(paid <= most, "{paid} of {emission}");
        if cfg!(feature = "canary") {
            assert!(json == include_bytes!("../seeds/subnet/four"), "canary");
        }
    }
});
