//! Keys, calls and signed extrinsics, made from the metadata without the double's own decoder.

use gradus_node::{Chain, ChainConfig, Neuron, SubnetConfig};
use parity_scale_codec::{Compact, Encode};
use scale_value::Value;
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};

pub(crate) struct Signer(Keypair);

/// How an extrinsic is signed; what is not the chain's own makes it a wrong one.
pub(crate) struct Signing {
    pub(crate) nonce: u32,
    /// Period and birth block; immortal without.
    pub(crate) mortal: Option<(u64, u32)>,
    pub(crate) spec_version: Option<u32>,
    pub(crate) genesis: Option<[u8; 32]>,
}

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        let mini = MiniSecretKey::from_bytes(&[seed; 32]).expect("a seed");
        Self(mini.expand_to_keypair(ExpansionMode::Ed25519))
    }

    pub(crate) fn account(&self) -> [u8; 32] {
        self.0.public.to_bytes()
    }

    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> [u8; 64] {
        let context = schnorrkel::signing_context(b"substrate").bytes(bytes);
        self.0.sign(context).to_bytes()
    }

    /// A call signed for a chain, mortal from its best block on.
    pub(crate) fn sign(&self, chain: &Chain, call: &[u8], nonce: u32) -> Vec<u8> {
        let mortal = Some((16, chain.best_number()));
        let signing = Signing {
            nonce,
            mortal,
            spec_version: None,
            genesis: None,
        };
        self.sign_as(chain, call, &signing)
    }

    pub(crate) fn sign_as(&self, chain: &Chain, call: &[u8], signing: &Signing) -> Vec<u8> {
        let runtime = chain.storage().runtime();
        let (era, birth) = match signing.mortal {
            None => (vec![0], 0),
            Some((period, birth)) => {
                let phase = u64::from(birth) % period;
                let encoded =
                    (period.trailing_zeros() as u16 - 1).clamp(1, 15) | (phase as u16) << 4;
                (encoded.to_le_bytes().to_vec(), birth)
            }
        };
        let birth_hash = chain.block(birth).expect("a block").hash;
        let genesis = signing.genesis.unwrap_or(chain.genesis_hash());
        let spec_version = signing.spec_version.unwrap_or(runtime.spec().version());
        // Era, nonce, tip, no hash of the metadata.
        let extra = [&era[..], &Compact(signing.nonce).encode(), &[0], &[0]].concat();
        let added = (spec_version, 1_u32, genesis, birth_hash, 0_u8).encode();
        let mut payload = [call, &extra, &added].concat();
        if payload.len() > 256 {
            payload = sp_crypto_hashing::blake2_256(&payload).to_vec();
        }
        let signature = self.sign_bytes(&payload);
        let body = [
            &[0x84, 0][..],
            &self.account(),
            &[1],
            &signature,
            &extra,
            call,
        ]
        .concat();
        body.encode()
    }
}

/// A call of the subnets' pallet.
pub(crate) fn call(chain: &Chain, name: &str, fields: &[(&str, Value<()>)]) -> Vec<u8> {
    let runtime = chain.storage().runtime();
    let variant = Value::named_variant(name, fields.iter().cloned());
    let call = Value::unnamed_variant("SubtensorModule", [variant]);
    let outer = runtime.metadata().outer_enums().call_enum_ty();
    runtime.encode_value(&call, outer)
}

pub(crate) fn list(values: &[u16]) -> Value<()> {
    Value::unnamed_composite(values.iter().map(|v| Value::u128(u128::from(*v))))
}

pub(crate) fn number(number: u64) -> Value<()> {
    Value::u128(u128::from(number))
}

pub(crate) fn set_weights(chain: &Chain, uids: &[u16], values: &[u16]) -> Vec<u8> {
    let fields = [
        ("netuid", number(56)),
        ("dests", list(uids)),
        ("weights", list(values)),
        ("version_key", number(0)),
    ];
    call(chain, "set_weights", &fields)
}

/// Subnet 56 with the validator as uid 0 and three miners, changed by `change`.
pub(crate) fn chain(
    validator: &Signer,
    change: impl FnOnce(&mut ChainConfig, &mut SubnetConfig),
) -> Chain {
    let mut subnet = SubnetConfig {
        neurons: vec![
            Neuron::validator(validator.account()),
            Neuron::miner([11; 32]),
            Neuron::miner([12; 32]),
            Neuron::miner([13; 32]),
        ],
        ..SubnetConfig::default()
    };
    let mut config = ChainConfig::default();
    change(&mut config, &mut subnet);
    config.subnets = vec![subnet];
    Chain::start(config)
}
