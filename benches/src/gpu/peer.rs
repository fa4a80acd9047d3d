//! A kernel of a GPU that a peer has an opinion on, and the peer as something that is timed.

use super::{DeviceBench, Session};
use crate::measure::{Budget, Work};
use crate::peer::{Asked, Opinion, Prepared, ask};
use crate::result::{Failure, OURS, Row};
use crate::shape::Shape;
use gradus_kernels::device::{DeviceError, Stream};

impl Session {
    /// `bench`, and the peer with the same problem.
    pub(super) fn beside_peer(
        &mut self,
        shape: &Shape,
        bench: Box<dyn DeviceBench>,
        budget: Budget,
    ) -> Vec<Result<Row, Failure>> {
        let asked = self
            .peer
            .as_deref()
            .zip(bench.problem())
            .map(|(peer, problem)| ask(peer, &problem, bench.work()))
            .transpose();
        let (asked, refused) = match asked {
            Ok(asked) => (asked, None),
            Err(error) => (None, Some(Failure::of(shape, error, false))),
        };
        let work = bench.work();
        let stream = self.stream.clone();
        let opinion = asked.as_ref().map(|asked| &asked.opinion);
        let own = Judged { bench, opinion };
        let mut rows = vec![self.checked(shape, Box::new(own), &stream, OURS, budget)];
        if let Some(Asked { prepared, opinion }) = asked {
            let variant = prepared.variant();
            let timed = Box::new(Timed {
                prepared,
                opinion: &opinion,
                work,
            });
            // Its work is in the driver's default stream, so that is where its events have to be.
            let stream = self.gpu.default_stream();
            rows.push(self.checked(shape, timed, &stream, &variant, budget));
        }
        rows.extend(refused.map(Err));
        rows
    }
}

/// Ours: right if its reference and the peer say so.
struct Judged<'a> {
    bench: Box<dyn DeviceBench>,
    opinion: Option<&'a Opinion>,
}

impl DeviceBench for Judged<'_> {
    fn work(&self) -> Work {
        self.bench.work()
    }

    fn captures(&self) -> bool {
        self.bench.captures()
    }

    fn prepare(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        self.bench.prepare(stream)
    }

    fn run(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        self.bench.run(stream)
    }

    fn check(&mut self, stream: &Stream) -> Result<f64, String> {
        let worst = self.bench.check(stream)?;
        let Some(opinion) = self.opinion else {
            return Ok(worst);
        };
        let left = self.bench.left(stream, opinion.rows());
        let left = left.map_err(|error| error.to_string())?;
        Ok(worst.max(opinion.of_ours(&left)?))
    }
}

/// The peer's, in the driver's default stream.
struct Timed<'a> {
    prepared: Box<dyn Prepared>,
    opinion: &'a Opinion,
    work: Work,
}

impl DeviceBench for Timed<'_> {
    fn work(&self) -> Work {
        self.work
    }

    fn captures(&self) -> bool {
        false
    }

    fn run(&mut self, _: &Stream) -> Result<(), DeviceError> {
        self.prepared.run().map_err(|status| DeviceError::Library {
            op: self.prepared.variant(),
            library: self.opinion.library(),
            status,
        })
    }

    fn check(&mut self, stream: &Stream) -> Result<f64, String> {
        self.run(stream).map_err(|error| error.to_string())?;
        self.opinion
            .of_peers(&self.prepared.left(self.opinion.rows())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;
    use crate::peer::testing::Gates;

    fn measured(shape: &str, peer: Box<dyn Peer>) -> Vec<Result<Row, Failure>> {
        gradus_shim::install();
        let mut session = Session::open(0, true).expect("a GPU, or an emulated one");
        session.set_peer(Some(peer));
        let budget = Budget {
            samples: 1,
            seconds: 0.0,
        };
        session.rows(&shape.parse().expect("written by hand"), budget)
    }

    #[test]
    fn a_peer_has_a_row_behind_ours_and_an_opinion_on_it() {
        let rows = measured("activation:5x67", Box::new(Gates::default()));
        let [Ok(ours), Ok(peers)] = &rows[..] else {
            panic!("{rows:?}");
        };
        assert_eq!(peers.variant, "gates f64");
        assert!(peers.ours_over_this.is_some() && ours.ours_over_this.is_none());
        assert_eq!(peers.measured.warm_us, None);
        let off = Gates {
            off: 0.1,
            ..Gates::default()
        };
        let rows = measured("activation:5x67", Box::new(off));
        let Err(failure) = &rows[0] else {
            panic!("{rows:?}");
        };
        let begins = "gradus disagrees with the reference: gate of row 0 by Gates in f64: value ";
        assert!(failure.reason.starts_with(begins), "{rows:?}");
        let fails = Gates {
            fails: true,
            ..Gates::default()
        };
        let rows = measured("activation:5x67", Box::new(fails));
        let Err(failure) = &rows[1] else {
            panic!("{rows:?}");
        };
        assert!(failure.reason.contains("Gates says no memory"), "{rows:?}");
    }

    /// LibTorch on the processor, in the precision of GPUs.
    #[cfg(feature = "libtorch")]
    #[test]
    fn every_family_of_gpus_agrees_with_libtorch() {
        for shape in [
            "linear:37x67x41",
            "linear:1003x5x9",
            "cross_entropy:5x301x43",
            "kl:3x131x47",
            "attention:6x2x64,lengths=2*29",
            "attention:4x2x64,lengths=37+5+1,window=7",
            "attention:5x5x64,cap=3,lengths=23",
            "rms_norm:5x97",
            "rms_norm:5x96,group=32",
            "layer_norm:5x97",
            "rope:7x3x64",
            "activation:5x67",
            "activation:3x41,kind=gelu_tanh",
            "embedding:7x53x33",
        ] {
            let peer = crate::peer::open(crate::peer::Place::Cpu { threads: 1 });
            let rows = measured(shape, peer.expect("the CPU is there"));
            let [Ok(_), Ok(peers), ..] = &rows[..] else {
                panic!("{shape}: {rows:?}");
            };
            assert!(peers.variant.starts_with("libtorch"), "{shape}");
        }
    }
}
