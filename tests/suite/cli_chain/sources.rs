//! Where values come from: files of pairs and records, results, incentives.

use super::*;

#[test]
fn a_uid_that_changed_hands_since_the_values_were_computed_is_refused() {
    let place = Place::new(1, |_| ());
    // An audit record says whom each value was for.
    let audit = place.path("audit.json");
    let mut show = command();
    show.args(["weights", "show", "examples/weights/results.json"]);
    show.args(["--subnet", "examples/weights/subnet.json", "--audit"]);
    assert_eq!(finish(show.arg(&audit)).code, Some(0));
    let moved = finish(&mut place.set(&["--yes", "--values", audit.to_str().unwrap()]));
    moved.complains(1, &["changed hands", "compute them anew"]);
    assert_eq!(place.applied(), 0);
    // A record that cannot be read is named by what it lacks, and not taken for a list of pairs.
    let whole: Value = serde_json::from_slice(&fs::read(&audit).unwrap()).unwrap();
    let mut lacks = whole.clone();
    lacks["gradus"].as_object_mut().unwrap().remove("rounding");
    let mut others = whole;
    others.as_object_mut().unwrap().remove("gradus");
    for (record, says) in [
        (lacks, "missing field `rounding`"),
        (others, "was not written by gradus"),
    ] {
        place.write("values.json", record.to_string().as_bytes(), 0o644);
        finish(&mut place.set(&[])).complains(1, &["--values", says]);
    }
}

#[test]
fn incentives_do_not_stand_in_before_they_are_due() {
    let place = Place::new(1, |_| ());
    let mut set = place.weights("set", &["--yes", "--fallback", "--keyfile"]);
    let refused = finish(set.arg(place.path("key")));
    refused.complains(
        1,
        &["the fallback is not due: 0 failures in a row of at least 2"],
    );
    assert!(place.chain.submissions().is_empty());
}

#[test]
fn showing_waits_for_no_process_that_is_at_work_on_the_same_intents() {
    let place = Place::new(1, |_| ());
    assert_eq!(finish(&mut place.set(&["--yes"])).code, Some(0));
    let mut lock = Command::new("flock");
    lock.arg(place.path("state/lock"));
    let mut holder = lock.args(["sh", "-c", "echo; cat"]);
    holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut held = String::new();
    let stdout = holder.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut held).unwrap();
    let signer = ["--hotkey", &golden("ss58"), "--signer", "true"];
    let fallback = [&["--fallback"][..], &signer].concat();
    finish(&mut place.weights("set", &fallback)).complains(1, &["the fallback is not due"]);
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
}

#[test]
fn values_that_nobody_could_set_are_the_operators_to_correct() {
    let place = Place::new(1, |_| ());
    for (values, why) in [
        ("[]", "weights: 0, expected 1 to 4096"),
        ("[[0,0],[2,0]]", "weights: all 0, expected one above 0"),
        (
            "[[2,1],[2,9]]",
            "weights: 1 distinct uids, expected each uid once",
        ),
    ] {
        place.write("values.json", values.as_bytes(), 0o644);
        let refused = finish(&mut place.set(&["--yes"]));
        refused.complains(1, &[why, "correct them where they come from"]);
    }
    assert!(!place.path("state").exists(), "nothing is written down");
}

/// Lets weights be refused by time: a node takes what is sent, and no block ever has it.
fn fails(place: &Place) {
    place.nodes[0].inject(Fault::Swallow);
    let mut set = place.set(&["--yes"]);
    let mut child = set
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        // Eras pass.
        place.chain.produce_to(place.chain.best_number() + 4);
        std::thread::sleep(TICK);
    };
    place.nodes[0].clear();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn incentives_stand_in_once_results_failed_twice_and_own_weights_are_old() {
    let block_time_ms = 40;
    let place = Place::at(3_020, 1, |config| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        config.block_time_ms = block_time_ms;
        config.start_ms = now.as_millis() as u64 - 3_020 * block_time_ms;
        config.kept_states = 600;
        let miners = config.subnets[0].neurons.iter_mut();
        for (neuron, incentive) in miners.zip([30_000, 0, 35_535]) {
            neuron.incentive = incentive;
        }
    });
    let fallback = || {
        let mut set = place.weights("set", &["--fallback", "--yes", "--json"]);
        finish(set.arg("--keyfile").arg(place.path("key")))
    };
    fails(&place);
    fallback().complains(1, &["1 failures in a row of at least 2"]);
    fails(&place);
    let failed = place.status();
    assert_eq!(
        failed["status"]["intents"][1]["word"], "expired",
        "{failed}"
    );
    assert_eq!(place.row(), []);

    let done = fallback();
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let status = json_of(&done);
    let intent = &status["intents"][0];
    assert_eq!(
        (&intent["word"], &intent["fallback"]),
        (&json!("verified"), &json!(true))
    );
    // Shares of the largest: 30,000 of 35,535 is 55,327 of 65,535.
    assert_eq!(place.row(), [(0, 55_327), (2, 65_535)]);
    // Its own weights are new now, whatever failed before.
    fallback().complains(1, &["the fallback is not due", "own weights are"]);
    assert_eq!(place.applied(), 1);
}

/// A played tournament, by the addresses of who played instead of their letters.
fn played(place: &Place, name: &str, addresses: &[(&str, String)]) -> PathBuf {
    let golden = repository()
        .join("tasks/tests/golden/tournaments")
        .join(name);
    let mut text = fs::read_to_string(golden).unwrap();
    for (letter, address) in addresses {
        text = text.replace(&format!("{letter:?}"), &format!("{address:?}"));
    }
    place.write(name, text.as_bytes(), 0o644)
}

#[test]
fn results_of_played_tournaments_land_over_the_subnet_as_it_is() {
    const BURN: &str = "5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu";
    let place = Place::new(2, |subnet| {
        for seed in 5..8 {
            subnet.neurons.push(Neuron::miner([seed; 32]));
        }
        let burn = address::decode(BURN).unwrap();
        subnet.neurons.push(Neuron::miner(burn));
    });
    // In the order of the letters, since draws begin with the entrants in order.
    let mut entrants: Vec<String> = [1, 2, 3, 5, 6]
        .map(|seed| address::encode(&[seed; 32]))
        .into();
    entrants.sort();
    let mut addresses: Vec<(&str, String)> = ["a", "b", "c", "d", "e"]
        .into_iter()
        .zip(entrants)
        .collect();
    addresses.push(("former", address::encode(&[7; 32])));
    let text = played(&place, "text.jsonl", &addresses);
    let participants: String = addresses
        .iter()
        .map(|(_, address)| format!("{address}\n"))
        .collect();
    let participants = place.write("participants", participants.as_bytes(), 0o644);
    let (results, audit) = (place.path("results.json"), place.path("audit.json"));
    let mut collect = command();
    collect
        .args(["weights", "collect", "-o"])
        .arg(&results)
        .arg(text);
    let done = finish(collect.arg("--participants").arg(participants));
    assert_eq!(done.code, Some(0), "{}", done.stderr);

    let mut set = place.weights("set", &["--yes", "--keyfile"]);
    set.arg(place.path("key"))
        .arg(&results)
        .arg("--audit")
        .arg(&audit);
    let done = finish(&mut set);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("verified"), "{}", done.stdout);

    // The same by files alone: the subnet as the nodes had it, and the record of what was computed over it.
    let subnet = place.path("subnet.json");
    let mut metagraph = command();
    metagraph.args(["chain", "metagraph", "--json", "--network", "local"]);
    for node in &place.nodes {
        metagraph.args(["--endpoint", &node.url()]);
    }
    let read = finish(&mut metagraph);
    assert_eq!(read.code, Some(0), "{}", read.stderr);
    fs::write(&subnet, &read.stdout).unwrap();
    let mut show = command();
    show.args(["weights", "show", "--json"]).arg(&results);
    let shown = json_of(&finish(show.arg("--subnet").arg(&subnet)));
    let rows = shown["weights"].as_array().unwrap().iter();
    let mut values: Vec<(u16, u16)> = rows
        .map(|row| [&row["uid"], &row["value"]].map(|number| number.as_u64().unwrap() as u16))
        .map(|[uid, value]| (uid, value))
        .filter(|(_, value)| *value > 0)
        .collect();
    values.sort_unstable();
    let mut row = place.row();
    row.sort_unstable();
    assert_eq!(row, values);
    // The champion is paid the most of those who played, and everybody who took part something.
    let hotkeys: Value = serde_json::from_str(&read.stdout).unwrap();
    let value = |address: &str| {
        let neurons = hotkeys["neurons"].as_array().unwrap().iter();
        let uid = neurons
            .clone()
            .position(|neuron| neuron["hotkey"] == address)
            .unwrap();
        row.iter()
            .find(|(of, _)| usize::from(*of) == uid)
            .unwrap()
            .1
    };
    let paid: Vec<u16> = addresses
        .iter()
        .map(|(_, address)| value(address))
        .collect();
    assert!(
        paid.iter()
            .skip(1)
            .all(|other| *other > 0 && *other < paid[0]),
        "{paid:?}"
    );
    let mut check = command();
    check
        .args(["weights", "audit"])
        .arg(&audit)
        .arg("--subnet")
        .arg(&subnet);
    let checked = finish(check.args(["--hotkey", &golden("ss58")]));
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    assert!(
        checked.stdout.contains("passes: cosine"),
        "{}",
        checked.stdout
    );
}
