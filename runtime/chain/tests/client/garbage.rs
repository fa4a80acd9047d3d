use super::*;
use gradus_chain::Owner;
use gradus_chain::node::ReadError;
use gradus_chain::node::rpc::RpcError;
use gradus_node::{Fault, Garbage, Method};

#[test]
fn answers_that_are_none_are_errors_of_the_host_and_the_next_is_read() {
    let kinds = [
        Garbage::InvalidJson,
        Garbage::WrongId,
        Garbage::ShortScale,
        Garbage::WrongScale,
        Garbage::Oversized(3_000_000),
        Garbage::Binary,
    ];
    let chain = chain(Spec::V461, |_| ());
    let served = gradus_node::Node::serve(&chain).expect("loopback");
    let small = RpcLimits {
        call: Duration::from_millis(300),
        answer_bytes_max: 2_000_000,
        attempts: 1,
        ..limits()
    };
    let node = Node::connect(&served.url(), small).expect("a node");
    let snapshot = best(&node);
    for garbage in kinds {
        for method in [
            Method::Named("state_getStorage"),
            Method::Named("chain_getBlock"),
            Method::Named("chain_getHeader"),
            Method::RuntimeCall("SubnetInfoRuntimeApi_get_selective_metagraph"),
        ] {
            served.inject(Fault::Garbage(method.clone(), garbage));
            let asked = || -> Result<(), ReadError> {
                node.best_head()?;
                node.block(snapshot.block().hash)?;
                snapshot.subnet(NETUID)?;
                snapshot.metagraph(NETUID)?;
                snapshot.events()?;
                Ok(())
            };
            match asked() {
                Err(error) => assert_eq!(error.owner(), Owner::Host),
                // Other bytes of storage are another answer, which other nodes will not give; headers are hashed.
                Ok(()) => {
                    assert_eq!(garbage, Garbage::WrongScale, "{method:?}");
                    assert!(
                        ![
                            Method::Named("chain_getBlock"),
                            Method::Named("chain_getHeader")
                        ]
                        .contains(&method)
                    );
                }
            }
            served.clear();
            asked().unwrap_or_else(|error| panic!("after {garbage:?} to {method:?}: {error}"));
        }
    }
}

#[test]
fn an_answer_that_is_too_long_is_cut_off() {
    let chain = chain(Spec::V461, |_| ());
    let (served, _) = serve(&chain);
    let small = RpcLimits {
        answer_bytes_max: 100_000,
        ..limits()
    };
    let node = Node::connect(&served.url(), small).expect("a node");
    served.inject(Fault::Garbage(Method::Any, Garbage::Oversized(1_000_000)));
    let Err(ReadError::Rpc(error)) = node.best_head() else {
        panic!("read");
    };
    assert!(
        matches!(error, RpcError::TooLong { limit: 100_000, .. }),
        "{error}"
    );
}

#[test]
fn a_node_that_drips_ends_at_the_deadline() {
    use std::io::Write;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("ws://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        for byte in b"HTTP/1.1 101 Switching Protocols\r\n".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let impatient = RpcLimits {
        connect: Duration::from_millis(400),
        attempts: 1,
        ..limits()
    };
    let start = std::time::Instant::now();
    let error = Node::connect(&url, impatient).err().expect("no node");
    assert!(
        start.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        start.elapsed()
    );
    assert!(
        matches!(error, ReadError::Rpc(RpcError::TimeLimit { .. })),
        "{error:?}"
    );
}
