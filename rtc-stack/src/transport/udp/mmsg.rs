//! `sendmmsg` with a control message of its own for each message.
//!
//! The safe wrapper of crate `nix` gives all messages of a call the same control messages, so a batch of
//! runs with different segment sizes or local addresses would be as many system calls. This is the one
//! place of the crate with unsafe code.
#![allow(unsafe_code)]

use std::io;
use std::mem::{self, zeroed};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use socket2::SockAddr;

/// Messages of one call. What is set up for them takes 20 KiB of the stack.
pub(super) const BATCH: usize = 64;
/// Room for a segment size and a local address of either family.
const CONTROL: usize = 88;

/// One message: a datagram, or a run of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// In the family of the socket.
    pub(super) peer: SocketAddr,
    pub(super) local_ip: Option<IpAddr>,
    pub(super) bytes: &'a [u8],
    /// Bytes of each datagram of a run.
    pub(super) segment_size: Option<u16>,
}

/// The kernel reads a `cmsghdr` at its start.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

/// Sends the first so many messages, and answers how many. It never waits.
pub(super) fn send(socket: BorrowedFd<'_>, messages: &[Message<'_>]) -> io::Result<usize> {
    let mut controls = [Control([0; CONTROL]); BATCH];
    let mut names: [Option<SockAddr>; BATCH] = [const { None }; BATCH];
    // SAFETY: null pointers and zero lengths are valid values of these structures of C.
    let mut parts: [libc::iovec; BATCH] = unsafe { zeroed() };
    // SAFETY: as above.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
    let mut count: u32 = 0;
    let places = parts.iter_mut().zip(&mut headers).zip(names.iter_mut().zip(&mut controls));
    for (message, ((part, header), (name, control))) in messages.iter().zip(places) {
        let header = &mut header.msg_hdr;
        let name = name.insert(SockAddr::from(message.peer));
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = name.len();
        part.iov_base = message.bytes.as_ptr().cast_mut().cast();
        part.iov_len = message.bytes.len();
        header.msg_iov = part;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = CONTROL as _;
        header.msg_controllen = fill(header, message) as _;
        if header.msg_controllen == 0 {
            header.msg_control = ptr::null_mut();
        }
        count = count.saturating_add(1);
    }
    // SAFETY: `count` headers are filled. Names, parts, controls and the messages' bytes that they point
    // to live until the call returns, and the kernel writes to none of them.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Writes a message's control messages, and answers how many bytes they take.
fn fill(header: &mut libc::msghdr, message: &Message<'_>) -> usize {
    let mut used: usize = 0;
    let mut put = |level, kind, data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap_or_default();
        // SAFETY: these only compute with their argument.
        let (space, whole) =
            unsafe { (libc::CMSG_SPACE(length) as usize, libc::CMSG_LEN(length) as usize) };
        let Some(end) = used.checked_add(space).filter(|end| *end <= CONTROL) else { return };
        // SAFETY: `used` is within the control buffer of this header, which is aligned for a cmsghdr, as
        // CMSG_SPACE keeps it, and the header and its data end within the buffer.
        unsafe {
            let at = header.msg_control.cast::<u8>().add(used).cast::<libc::cmsghdr>();
            (*at).cmsg_level = level;
            (*at).cmsg_type = kind;
            (*at).cmsg_len = whole as _;
            ptr::copy_nonoverlapping(data.as_ptr(), libc::CMSG_DATA(at), data.len());
        }
        used = end;
    };
    if let Some(size) = message.segment_size {
        put(libc::SOL_UDP, libc::UDP_SEGMENT, &size.to_ne_bytes());
    }
    match message.local_ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => {
            // struct in_pktinfo: the interface (any), the source address, a field of receiving.
            let mut info = [0; mem::size_of::<libc::in_pktinfo>()];
            info.iter_mut().skip(4).zip(ip.octets()).for_each(|(place, byte)| *place = byte);
            put(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        Some(IpAddr::V6(ip)) => {
            // struct in6_pktinfo: the source address, the interface (any).
            let mut info = [0; mem::size_of::<libc::in6_pktinfo>()];
            info.iter_mut().zip(ip.octets()).for_each(|(place, byte)| *place = byte);
            put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        }
        None => {}
    }
    used
}
