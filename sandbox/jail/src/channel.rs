//! Messages with descriptors between processes: JSON over a socket that keeps their bounds.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of a message at most.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Descriptors in a message at most: what the kernel takes.
pub const DESCRIPTORS_MAX: usize = 253;

/// One end of a socket whose messages arrive whole or not at all.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// Two ends that are closed by a new program.
    pub fn pair() -> io::Result<(Channel, Channel)> {
        let (one, other) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Channel(one), Channel(other)))
    }

    /// Sends one message and copies of descriptors.
    pub fn send(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message).map_err(io::Error::other)?;
        let mut space =
            vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(io::Error::other(format!(
                "{} descriptors are more than {DESCRIPTORS_MAX}",
                descriptors.len()
            )));
        }
        sendmsg(
            &self.0,
            &[IoSlice::new(&bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    }

    /// The next message and its descriptors, which a new program does not get; none where the other end is closed.
    pub fn receive<M: DeserializeOwned>(&self) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
        // Room for what comes, not for what might: to clear it takes a process that has just been cloned a page fault for each page.
        let length = self.next_length()?;
        if length == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; length.min(MESSAGE_BYTES_MAX)];
        let mut space =
            vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            match recvmsg(
                &self.0,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut ancillary,
                RecvFlags::CMSG_CLOEXEC,
            ) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        };
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if received
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
        {
            return Err(io::Error::other(format!(
                "a message of more than {MESSAGE_BYTES_MAX} bytes or {DESCRIPTORS_MAX} descriptors"
            )));
        }
        let message = serde_json::from_slice(&bytes[..received.bytes]).map_err(io::Error::other)?;
        Ok(Some((message, descriptors)))
    }
}

impl Channel {
    /// Bytes of the next message, which is waited for; 0 where the other end is closed.
    fn next_length(&self) -> io::Result<usize> {
        loop {
            let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
            match rustix::net::recv(&self.0, &mut [0; 1], flags) {
                Err(rustix::io::Errno::INTR) => {}
                // The other end is gone with messages of ours unread. Said once, and before what it has sent itself.
                Err(rustix::io::Errno::CONNRESET) => {}
                other => return Ok(other?.1),
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Channel {
    fn from(socket: OwnedFd) -> Channel {
        Channel(socket)
    }
}

impl Channel {
    /// The socket itself, to be given to a new program.
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_an_end_that_read_nothing_is_heard() {
        let (ours, theirs) = Channel::pair().expect("a channel");
        ours.send(&1, &[]).expect("sent");
        theirs.send(&2, &[]).expect("sent");
        drop(theirs);
        let heard = |channel: &Channel| channel.receive::<i32>().expect("no error");
        assert!(matches!(heard(&ours), Some((2, _))));
        assert!(heard(&ours).is_none() && heard(&ours).is_none());
        ours.send(&3, &[]).expect_err("nobody is there");
    }

    #[test]
    fn a_message_beyond_the_limit_is_an_error_and_the_next_one_comes_whole() {
        let (ours, theirs) = Channel::pair().expect("a channel");
        let text = "x".repeat(MESSAGE_BYTES_MAX);
        ours.send(&text, &[]).expect("sent");
        ours.send(&&text[..MESSAGE_BYTES_MAX - 2], &[])
            .expect("sent");
        theirs.receive::<String>().expect_err("two quotes too many");
        let (heard, _) = theirs.receive::<String>().expect("no error").expect("open");
        assert_eq!(heard.len(), MESSAGE_BYTES_MAX - 2);
    }

    #[test]
    fn an_end_that_read_nothing_and_said_nothing_is_closed() {
        let (ours, theirs) = Channel::pair().expect("a channel");
        ours.send(&1, &[]).expect("sent");
        drop(theirs);
        assert!(ours.receive::<i32>().expect("no error").is_none());
    }
}
