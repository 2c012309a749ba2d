//! A UDP socket that many clients share.
//!
//! On Linux all of 127.0.0.0/8 is this machine, so the clients of a port differ by their addresses,
//! and a server sees as many peers. One system call then receives what came for many of them, with
//! what the server sent as one run still in one piece.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rtc_stack::{
    arena::{Destination, SendArena},
    transport::udp::{UdpOptions, UdpSocket},
};
use tokio::sync::mpsc;

use super::lock;
use crate::{client::ClientError, clock};

/// Clients of a port: what the system keeps of it then holds a second of 600 kbit/s for each.
const MOST: usize = if cfg!(target_os = "linux") { 100 } else { 1 };
/// The address before the first client's.
const BASE: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 0);
/// Datagrams that wait for a client which is not ready yet.
const WAITING: usize = 1_024;
/// How often a port is read in a row before others get their turn.
const ROUNDS: usize = 16;

/// When a datagram came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) at: Instant,
    /// On the clock of stamps.
    pub(super) nanos: u64,
    /// Whether it is the first of those for a client that came together.
    pub(super) is_first: bool,
}

/// What takes the datagrams of a client.
pub(super) trait Peer: Send {
    fn receive(&mut self, arrival: Arrival, datagram: &mut [u8]);
}

/// A datagram that came before there was a [`Peer`].
#[derive(Debug)]
pub(super) struct Early {
    arrival: Arrival,
    pub(super) datagram: Vec<u8>,
}

/// What a client gets until it is a [`Peer`].
#[derive(Debug)]
pub(super) struct Waiting {
    inbox: mpsc::Receiver<Early>,
    kept: Vec<Early>,
}

impl Waiting {
    pub(super) async fn next(&mut self) -> Result<Early, ClientError> {
        self.inbox.recv().await.ok_or(ClientError::Closed)
    }

    /// Keeps a datagram for the [`Peer`].
    pub(super) fn keep(&mut self, early: Early) {
        self.kept.push(early);
    }
}

/// The ports of a thread.
#[derive(Debug)]
pub(super) struct Ports {
    is_ipv4: bool,
    /// Clients of each.
    most: usize,
    ports: Mutex<Vec<Arc<Port>>>,
}

impl Ports {
    /// Ports from which a server can be reached. One that has its media at another address of this
    /// machine than a loopback one may not answer those: then none is shared.
    pub(super) fn toward(server: IpAddr, is_shared: bool) -> Self {
        let most = if server.is_ipv4() && is_shared { MOST } else { 1 };
        Self { is_ipv4: server.is_ipv4(), most, ports: Mutex::default() }
    }

    /// A place for one more client. Needs the runtime of the thread.
    pub(super) fn seat(&self) -> io::Result<Seat> {
        let mut ports = lock(&self.ports);
        let most = self.most;
        if let Some(seat) = ports.last().and_then(|port| port.seat(most)) {
            return Ok(seat);
        }
        let any: IpAddr = match self.is_ipv4 {
            true => Ipv4Addr::UNSPECIFIED.into(),
            false => Ipv6Addr::UNSPECIFIED.into(),
        };
        let port = Arc::new(Port::open(any)?);
        tokio::spawn(Arc::clone(&port).serve());
        ports.push(Arc::clone(&port));
        port.seat(most).ok_or_else(|| io::ErrorKind::AddrInUse.into())
    }

    /// Datagrams that the system has dropped since this program didn't read them in time.
    pub(super) fn dropped(&self) -> u64 {
        let ports: Vec<_> = lock(&self.ports).iter().map(|port| port.number).collect();
        ["/proc/net/udp", "/proc/net/udp6"]
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .map(|table| drops(&table, &ports))
            .sum()
    }
}

/// The drops of some ports in the system's table of sockets.
fn drops(table: &str, ports: &[u16]) -> u64 {
    let rows = table.lines().skip(1);
    let of_row = |row: &str| {
        let port = row.split_ascii_whitespace().nth(1)?.rsplit(':').next()?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let drops = row.split_ascii_whitespace().last()?.parse::<u64>().ok();
        drops.filter(|_| ports.contains(&port))
    };
    rows.filter_map(of_row).sum::<u64>()
}

struct Port {
    number: u16,
    inner: Mutex<Inner>,
}

struct Inner {
    socket: UdpSocket,
    places: Vec<Place>,
    arena: SendArena,
}

/// Who is at an address.
enum Place {
    Nobody,
    Joining(mpsc::Sender<Early>),
    Joined(Arc<Mutex<dyn Peer>>),
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Port {
    fn open(address: IpAddr) -> io::Result<Self> {
        let options = UdpOptions::default();
        let socket = UdpSocket::bind((address, 0).into(), &options)?;
        let number = socket.local_addr().port();
        let inner = Inner { socket, places: Vec::new(), arena: SendArena::default() };
        Ok(Self { number, inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat(self: &Arc<Self>, most: usize) -> Option<Seat> {
        let mut inner = self.lock();
        let place = inner.places.len();
        if place >= most {
            return None;
        }
        inner.places.push(Place::Nobody);
        let local_ip = (most > 1).then(|| address_of(place));
        Some(Seat { port: Arc::clone(self), place, local_ip })
    }

    /// Hands out what comes, for as long as the runtime lives.
    async fn serve(self: Arc<Self>) {
        loop {
            let is_readable = std::future::poll_fn(|cx| self.lock().socket.poll_readable(cx));
            if let Err(error) = is_readable.await {
                return eprintln!("port {}: {error}", self.number);
            }
            for _ in 0..ROUNDS {
                if self.lock().receive().is_err() {
                    break;
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Inner {
    fn receive(&mut self) -> io::Result<usize> {
        let Self { socket, places, .. } = self;
        let (mut came, mut last) = (None, None);
        socket.try_receive(&mut |from, datagram| {
            let (at, nanos) = *came.get_or_insert_with(|| (Instant::now(), clock::nanos()));
            // Who is alone has whatever address the system chose.
            let address = from.local_ip.filter(|_| places.len() > 1);
            let place = address.map_or(0, place_of);
            let is_first = last.replace(place) != Some(place);
            match places.get_mut(place) {
                Some(Place::Joined(peer)) => {
                    lock(peer).receive(Arrival { at, nanos, is_first }, datagram);
                }
                Some(Place::Joining(waiting)) => {
                    // A full one is a loss as on any way.
                    let arrival = Arrival { at, nanos, is_first };
                    let _ = waiting.try_send(Early { arrival, datagram: datagram.to_vec() });
                }
                Some(Place::Nobody) | None => {}
            }
        })
    }
}

/// The address of a place.
fn address_of(place: usize) -> IpAddr {
    let place = u32::try_from(place).unwrap_or(u32::MAX - 1);
    Ipv4Addr::from(u32::from(BASE).saturating_add(place + 1)).into()
}

/// The place of an address; where there is but one client, the first.
fn place_of(address: IpAddr) -> usize {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            (u32::from(ip).saturating_sub(u32::from(BASE)) as usize).saturating_sub(1)
        }
        IpAddr::V6(_) => 0,
    }
}

/// A client's place in a port; dropped, nobody is there.
#[derive(Debug)]
pub(super) struct Seat {
    port: Arc<Port>,
    place: usize,
    local_ip: Option<IpAddr>,
}

impl Seat {
    /// Has what comes wait.
    pub(super) fn wait(&self) -> Waiting {
        let (sender, inbox) = mpsc::channel(WAITING);
        self.put(Place::Joining(sender));
        Waiting { inbox, kept: Vec::new() }
    }

    /// Hands what has waited, and all that comes from here on, to a client.
    pub(super) fn hand_over<P: Peer + 'static>(
        &self,
        mut waiting: Waiting,
        client: &Arc<Mutex<P>>,
    ) {
        // Nothing comes meanwhile.
        let mut inner = self.port.lock();
        let inbox = std::iter::from_fn(|| waiting.inbox.try_recv().ok());
        for mut early in waiting.kept.into_iter().chain(inbox) {
            lock(client).receive(early.arrival, &mut early.datagram);
        }
        if let Some(place) = inner.places.get_mut(self.place) {
            *place = Place::Joined(Arc::clone(client) as Arc<Mutex<dyn Peer>>);
        }
    }

    /// Sends what `write` writes, as few runs as it can be.
    pub(super) fn send<T>(&self, peer: SocketAddr, write: impl FnOnce(&mut Outbox<'_>) -> T) -> T {
        let mut inner = self.port.lock();
        let Inner { socket, arena, .. } = &mut *inner;
        arena.clear();
        let destination = Destination { peer, local_ip: self.local_ip };
        let result = write(&mut Outbox { arena, destination });
        socket.send(arena);
        result
    }

    fn put(&self, new: Place) {
        if let Some(place) = self.port.lock().places.get_mut(self.place) {
            *place = new;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.put(Place::Nobody);
    }
}

/// What a client is about to send.
pub(super) struct Outbox<'a> {
    arena: &'a mut SendArena,
    destination: Destination,
}

impl Outbox<'_> {
    pub(super) fn push(&mut self, datagram: &[u8]) {
        self.arena.push(self.destination, datagram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_addresses_of_their_own() {
        for place in [0, 1, 99, 255, 256, 70_000] {
            assert_eq!(place_of(address_of(place)), place);
        }
        assert_eq!(address_of(0), IpAddr::from([127, 1, 0, 1]));
        assert_eq!(place_of(Ipv4Addr::LOCALHOST.into()), 0);
    }

    #[test]
    fn drops_are_those_of_our_ports() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue drops\n\
             2: 00000000:1F40 00000000:0000 07 0:0 0 0 0 1 2 0 17\n\
             3: 00000000:1F41 00000000:0000 07 0:0 0 0 0 1 2 0 4\n\
             4: 0100007F:1F42 00000000:0000 07 0:0 0 0 0 1 2 0 1\n";
        assert_eq!(drops(table, &[8000, 8002]), 18);
        assert_eq!(drops(table, &[]), 0);
    }

    struct Heard(Vec<Vec<u8>>);

    impl Peer for Heard {
        fn receive(&mut self, _: Arrival, datagram: &mut [u8]) {
            self.0.push(datagram.to_vec());
        }
    }

    #[tokio::test]
    async fn clients_of_a_port_get_what_is_theirs_early_or_late() {
        for server in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()] {
            let ports = Ports::toward(server, true);
            let seats: Vec<_> = (0..3).map(|_| ports.seat().unwrap()).collect();
            let options = UdpOptions::default();
            let mut other = UdpSocket::bind((server, 0).into(), &options).unwrap();
            let waiting: Vec<_> = seats.iter().map(Seat::wait).collect();
            for (number, seat) in (0..).zip(&seats) {
                seat.send(other.local_addr(), |out| out.push(&[number]));
            }
            let mut froms = Vec::new();
            while froms.len() < 3 {
                other.receive(|from, datagram| froms.push((from.peer, datagram[0]))).await.unwrap();
            }
            froms.sort_by_key(|(_, number)| *number);
            froms.dedup_by_key(|(from, _)| *from);
            assert_eq!(froms.len(), 3);
            let mut say = |number: u8| {
                let (peer, of) = froms[usize::from(number)];
                assert_eq!(of, number);
                for word in ["early", "late"] {
                    let datagram = [&[number], word.as_bytes()].concat();
                    other.send_one(Destination { peer, local_ip: None }, &datagram);
                }
            };
            let clients: Vec<_> =
                seats.iter().map(|_| Arc::new(Mutex::new(Heard(Vec::new())))).collect();
            say(0);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            for (seat, (waiting, client)) in seats.iter().zip(waiting.into_iter().zip(&clients)) {
                seat.hand_over(waiting, client);
            }
            (1..3).for_each(&mut say);
            let expected = |number: u8| {
                ["early", "late"].map(|word| [&[number], word.as_bytes()].concat()).to_vec()
            };
            for (number, client) in (0..).zip(&clients) {
                while lock(client).0.len() < 2 {
                    tokio::task::yield_now().await;
                }
                assert_eq!(lock(client).0, expected(number));
            }
            assert_eq!(ports.dropped(), 0);
        }
    }
}
