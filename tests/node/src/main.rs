//! A double of the chain's node that a person or a script starts: prints what it is as a line of JSON, and serves until it is ended.
//!
//! `gradus-node --help` lists its options.
//!
//! The chain's time runs with the clock: a block every tick. Validators and miners have uids in the order in which they are named, on subnet 56.

use gradus_node::{Blocks, Chain, ChainConfig, Neuron, Node, Spec, SubnetConfig, address, hex};
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HELP: &str = "\
A double of the chain's node, for tests: prints what it is as a line of JSON, and serves until it is ended.

Usage: gradus-node [OPTIONS]

Options:
      --port N              Its port on loopback; 0 takes any that is free [default: 0]
      --tick-ms N           Milliseconds between blocks [default: 250]
      --tempo N             Blocks of the subnet's epochs
      --rate-limit N        Blocks between two settings of weights
      --commit-reveal       Take weights as commits under a timelock, not plain
      --spec 365|439|461    Which runtime's metadata [default: 461]
      --validator ADDRESS   A validator on subnet 56, by its hotkey; repeat for each
      --miner ADDRESS       A miner; uids are given in the order in which all of them are named
  -h, --help                Print this
";

fn main() -> ExitCode {
    if std::env::args()
        .skip(1)
        .any(|word| word == "--help" || word == "-h")
    {
        // Nobody may be reading.
        let _ = std::io::stdout().write_all(HELP.as_bytes());
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("gradus-node: {why}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let mut subnet = SubnetConfig::default();
    let (mut port, mut tick_ms, mut spec) = (0, 250, Spec::V461);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let mut value = || {
            let value = arguments.next();
            value.ok_or_else(|| format!("{option} takes a value"))
        };
        match option.as_str() {
            "--port" => port = number(&option, &value()?)?,
            "--tick-ms" => tick_ms = number(&option, &value()?)?,
            "--tempo" => subnet.tempo = number(&option, &value()?)?,
            "--rate-limit" => subnet.weights_set_rate_limit = number(&option, &value()?)?,
            "--commit-reveal" => subnet.commit_reveal = true,
            "--spec" => {
                spec = match value()?.as_str() {
                    "365" => Spec::V365,
                    "439" => Spec::V439,
                    "461" => Spec::V461,
                    other => return Err(format!("--spec is 365, 439 or 461, not {other}")),
                }
            }
            "--validator" => subnet.neurons.push(Neuron::validator(account(&value()?)?)),
            "--miner" => subnet.neurons.push(Neuron::miner(account(&value()?)?)),
            _ => return Err(format!("{option} is no option of it; --help lists them")),
        }
    }
    if tick_ms == 0 {
        return Err("--tick-ms is at least 1".into());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let start_ms = now.map_err(|_| "the clock is before 1970")?.as_millis() as u64;
    let chain = Chain::start(ChainConfig {
        spec,
        blocks: Blocks::Every(Duration::from_millis(tick_ms)),
        start_ms,
        block_time_ms: tick_ms,
        subnets: vec![subnet],
        ..ChainConfig::default()
    });
    let node = Node::serve_at(&chain, port).map_err(|error| format!("port {port}: {error}"))?;
    let drand = chain.drand();
    let line = serde_json::json!({
        "url": node.url(),
        "genesis_hash": hex::encode(&chain.genesis_hash()),
        "drand_public_key": drand.public_key(),
        "drand_genesis_s": drand.genesis_s(),
        "drand_period_s": drand.period_s(),
    });
    println!("{line}");
    std::io::stdout()
        .flush()
        .map_err(|error| error.to_string())?;
    loop {
        std::thread::park();
    }
}

fn number<N: std::str::FromStr>(option: &str, value: &str) -> Result<N, String> {
    value
        .parse()
        .map_err(|_| format!("{option} takes a number, not {value}"))
}

fn account(text: &str) -> Result<[u8; 32], String> {
    let account = hex::hash(text).or_else(|| address::decode(text));
    account.ok_or_else(|| format!("{text} is no account's address"))
}
