//! What the servers are to reach, and what `srs-server` has reached.

mod rtc;

use super::{
    case::{GROUPS, Group, Kind, Window},
    data::Data,
    page::thousands,
    server::Server,
    table::{Row, rows},
};
use crate::{arguments::Rate, stream::Stream};

/// A goal, and how far it is reached.
#[derive(Debug, PartialEq)]
pub(super) struct Goal {
    /// What is measured.
    pub(super) what: String,
    /// What is wanted of it.
    pub(super) wanted: String,
    /// What was measured, and whether that is enough; `None` where it was not measured.
    pub(super) reached: Option<(String, bool)>,
}

impl Goal {
    fn new(
        what: impl Into<String>,
        wanted: impl Into<String>,
        reached: Option<(String, bool)>,
    ) -> Self {
        Self { what: what.into(), wanted: wanted.into(), reached }
    }

    fn at_most(what: impl Into<String>, most: f64, unit: &str, value: Option<f64>) -> Self {
        let reached = value.map(|value| (with_unit(value, unit), value <= most));
        Self::new(what, format!("at most {most}{unit}"), reached)
    }

    fn at_least(what: impl Into<String>, least: f64, unit: &str, value: Option<f64>) -> Self {
        let reached = value.map(|value| (with_unit(value, unit), value >= least));
        Self::new(what, format!("at least {least}{unit}"), reached)
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{value:.2}{unit}")
}

/// All goals, in the order of the page.
pub(super) fn goals(data: &Data) -> Vec<Goal> {
    let table = Tables(data);
    let mut goals = Vec::new();
    for (name, what, dearer, cheaper) in [
        ("rtmp-play-350", "RTMP play merged for 350 ms", 1.2, 10.0),
        ("rtmp-play-40", "RTMP play merged for 40 ms", 1.25, 2.2),
    ] {
        let (clients, ratio) = apart(table.ratio(name, Server::NginxRtmp));
        let what_of = format!("{what}: players per core, nginx-rtmp's being 1{clients}");
        goals.push(Goal::at_least(what_of, cheaper, "", ratio.map(|ratio| 1.0 / ratio)));
        goals.push(table.against_limit(name, what, dearer));
    }
    goals.push(table.against_limit("flv-play-350", "HTTP-FLV play merged for 350 ms", 1.35));
    goals.push(table.against_limit("flv-play-40", "HTTP-FLV play merged for 40 ms", 1.3));
    goals.extend(table.windows());
    goals.extend(table.memory());
    goals.extend(table.publish());
    goals.extend(table.ten_thousand());
    goals.extend(table.two_cores());
    goals.extend(table.delays());
    goals.extend(rtc::goals(&table));
    goals
}

/// The clients of a figure, as they end what is said of it.
fn apart(found: Option<(u32, f64)>) -> (String, Option<f64>) {
    match found {
        Some((clients, value)) => (at(clients), Some(value)),
        None => (String::new(), None),
    }
}

fn at(clients: u32) -> String {
    format!(", {} clients", thousands(clients.into()))
}

/// The tables of the page.
struct Tables<'a>(&'a Data);

impl<'a> Tables<'a> {
    /// The rows of a server that count.
    fn rows(&self, name: &str, server: Server) -> Vec<Row<'a>> {
        let of = |group: &Group| {
            let rows = rows(self.0, group).into_iter();
            rows.filter(|row| row.server == server.name() && row.example().is_some()).collect()
        };
        GROUPS.iter().find(|group| group.name == name).map(of).unwrap_or_default()
    }

    fn ours(&self, name: &str, clients: u32) -> Option<Row<'a>> {
        self.rows(name, Server::Ours).into_iter().find(|row| row.clients == clients)
    }

    /// What a client costs of ours, that of the other being 1, with the most clients that both
    /// were measured with.
    fn ratio(&self, name: &str, other: Server) -> Option<(u32, f64)> {
        let others = self.rows(name, other);
        self.rows(name, Server::Ours).iter().rev().find_map(|ours| {
            let other = others.iter().find(|other| other.clients == ours.clients)?;
            let (ours_ms, other_ms) = (ours.cpu_ms()?.median, other.cpu_ms()?.median);
            (other_ms > 0.0 && ours_ms > 0.0).then_some((ours.clients, ours_ms / other_ms))
        })
    }

    fn against_limit(&self, name: &str, what: &str, most: f64) -> Goal {
        let (clients, ratio) = apart(self.ratio(name, Server::Limit));
        Goal::at_most(format!("{what}: CPU, the limit's being 1{clients}"), most, "", ratio)
    }

    /// Merging by itself: none where there is room, then ever more.
    fn windows(&self) -> [Goal; 2] {
        let auto = self.rows("rtmp-play-auto", Server::Ours);
        let every = self.rows("rtmp-play-0", Server::Ours);
        let share = auto.iter().filter_map(|auto| {
            let has_room = |row: &&Row<'_>| row.cpu().is_some_and(|cpu| cpu.median < 50.0);
            let every = every.iter().filter(has_room).find(|row| row.clients == auto.clients)?;
            Some(auto.writes()?.0 / every.writes()?.0.max(1e-3))
        });
        let share = share.min_by(f64::total_cmp);
        let delays: Vec<_> = auto
            .iter()
            .filter_map(|row| {
                let p99 = row.figure(|one| one.latency_ms.map(|latency| latency.p99))?;
                Some((row.clients, p99.median))
            })
            .collect();
        let rises = delays.windows(2).all(|pair| pair[1].1 >= 0.8 * pair[0].1)
            && delays.iter().all(|(_, p99)| *p99 <= 400.0);
        let list = delays
            .iter()
            .map(|(clients, p99)| format!("{p99:.1} ms at {}", thousands((*clients).into())));
        let list = list.collect::<Vec<_>>().join(", ");
        [
            Goal::at_least(
                "Windows by themselves: writes, where one per message takes less than half a core, \
                 that being 1",
                0.95,
                "",
                share,
            ),
            Goal::new(
                "Windows by themselves: p99 of the delay",
                "rises with the players, 400 ms at most",
                (delays.len() > 1).then_some((list, rises)),
            ),
        ]
    }

    fn memory(&self) -> [Goal; 3] {
        let rss = |row: &Row<'_>| row.rss().map(|rss| rss.median);
        let rtmp = self.ours("rtmp-play-350", 4000);
        let flv = self.rows("flv-play-350", Server::Ours).pop();
        let (flv_clients, flv) = apart(flv.and_then(|row| Some((row.clients, rss(&row)?))));
        let sockets = rtmp.as_ref().and_then(|row| row.figure(|one| Some(one.socket_kib)));
        [
            Goal::at_most(
                "Memory of an RTMP player, 4,000 clients",
                6.0,
                " KiB",
                rtmp.as_ref().and_then(rss),
            ),
            Goal::at_most(
                "Memory in an RTMP player's sockets, both ends, 4,000 clients",
                64.0,
                " KiB",
                sockets.map(|sockets| sockets.median),
            ),
            Goal::at_most(format!("Memory of an HTTP-FLV player{flv_clients}"), 8.0, " KiB", flv),
        ]
    }

    fn publish(&self) -> [Goal; 3] {
        const CLIENTS: u32 = 600;
        let name = "rtmp-publish";
        let ratio = |other| {
            let ratio = self.ratio(name, other).filter(|(clients, _)| *clients == CLIENTS);
            ratio.map(|(_, ratio)| ratio)
        };
        let gop_kib = Stream::new(Rate::default()).gop_bytes() as f64 / 1024.0;
        let rss = self.ours(name, CLIENTS).and_then(|row| Some(row.rss()?.median - gop_kib));
        [
            Goal::at_most(
                "RTMP publish: CPU, nginx-rtmp's being 1, 600 clients",
                0.55,
                "",
                ratio(Server::NginxRtmp),
            ),
            Goal::at_most(
                "RTMP publish: CPU, that of a bare reader being 1, 600 clients",
                1.5,
                "",
                ratio(Server::Limit),
            ),
            Goal::at_most(
                format!("Memory of a publisher beside its GOP of {gop_kib:.0} KiB, 600 clients"),
                64.0,
                " KiB",
                rss,
            ),
        ]
    }

    fn ten_thousand(&self) -> [Goal; 2] {
        const CLIENTS: u32 = 10_000;
        let group = GROUPS.iter().find(|group| group.kind == Kind::RtmpPlay(Window::Fixed(350)));
        let all = group.map(|group| rows(self.0, group)).unwrap_or_default();
        let row =
            all.into_iter().find(|row| row.clients == CLIENTS && row.server == Server::Ours.name());
        let received = row.as_ref().map(|row| match (row.example(), row.fault) {
            (Some(_), None) => {
                let cpu = row.cpu().map_or(0.0, |cpu| cpu.median);
                (format!("yes, with {cpu:.0} % of the core"), true)
            }
            (_, fault) => (format!("no: {}", fault.unwrap_or("not measured")), false),
        });
        let load = row.and_then(|row| {
            let load = row.figure(|one| Some(one.load_cpu))?.median;
            Some(load / row.cpu()?.median.max(1e-3))
        });
        [
            Goal::new("10,000 RTMP players on one core: all get all", "yes", received),
            Goal::at_most(
                "10,000 RTMP players: CPU of the load generator, the server's being 1",
                1.0,
                "",
                load,
            ),
        ]
    }

    /// Of a run on two cores: the busiest thread's share of all, in percent, and what a client costs,
    /// on one core in a group being 1.
    fn second_core(&self, two: Option<&Row<'_>>, one: &str) -> (Option<f64>, Option<f64>) {
        let busiest = two.and_then(|row| {
            let busiest = row.figure(|one| {
                let (_, cpu) = one.threads.first()?;
                (one.cpu > 0.0).then_some(cpu / one.cpu * 100.0)
            });
            busiest.map(|figure| figure.max)
        });
        let one = two.and_then(|row| self.ours(one, row.clients));
        let ratio = two
            .zip(one.as_ref())
            .and_then(|(two, one)| Some(two.cpu_ms()?.median / one.cpu_ms()?.median.max(1e-6)));
        (busiest, ratio)
    }

    fn two_cores(&self) -> [Goal; 2] {
        let two = self.rows("two-cores", Server::Ours).pop();
        let (busiest, ratio) = self.second_core(two.as_ref(), "rtmp-play-350");
        let clients = two.map(|row| at(row.clients)).unwrap_or_default();
        [
            Goal::at_most(
                format!("Two cores, one stream: share of the busiest thread{clients}"),
                55.0,
                " %",
                busiest,
            ),
            Goal::at_most(
                format!("Two cores, one stream: CPU per player, on one core being 1{clients}"),
                1.1,
                "",
                ratio,
            ),
        ]
    }

    fn delays(&self) -> [Goal; 4] {
        let delay = |row: Option<Row<'_>>| {
            Some(row?.figure(|one| one.latency_ms.map(|latency| latency.p99))?.median)
        };
        let auto = |clients| delay(self.ours("rtmp-play-auto", clients));
        let join = self
            .ours("join", 2000)
            .and_then(|row| Some(row.figure(|one| one.join_ms.map(|join| join.p99))?.median));
        let shrink = self.rows("shrink", Server::Ours).pop();
        let (clients, after) = apart(shrink.and_then(|row| {
            let after = row.figure(|one| one.after_ms.map(|after| after.p99))?;
            Some((row.clients, after.median))
        }));
        [
            Goal::at_most("Delay as it comes: p99, 10 clients", 2.0, " ms", auto(10)),
            Goal::at_most("Delay as it comes: p99, 2,000 clients", 100.0, " ms", auto(2000)),
            Goal::at_most("Joining beside 2,000 others: first keyframe, p99", 50.0, " ms", join),
            Goal::at_most(
                format!("Delay 5 s after a load has gone: p99{clients}"),
                2.0,
                " ms",
                after,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{histogram::Percentiles, report::data::Measurement};

    fn one(group: &str, server: Server, clients: u32, cpu: f64) -> Measurement {
        Measurement {
            group: group.to_owned(),
            server: server.name().to_owned(),
            clients,
            cpu,
            ..Measurement::default()
        }
    }

    fn reached(data: &Data, start: &str) -> Option<(String, bool)> {
        let goals = goals(data);
        let goal = goals.into_iter().find(|goal| goal.what.starts_with(start));
        goal.unwrap_or_else(|| panic!("no goal begins with {start}")).reached
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        let goals = goals(&Data::default());
        assert!(goals.len() >= 20, "{}", goals.len());
        assert!(goals.iter().all(|goal| goal.reached.is_none()), "{goals:?}");
    }

    #[test]
    fn servers_are_compared_with_the_most_clients_that_both_had() {
        let mut data = Data::default();
        for (clients, cpu) in [(1000, 5.0), (2000, 8.0), (4000, 14.0)] {
            data.add(one("rtmp-play-350", Server::Ours, clients, cpu));
        }
        data.add(one("rtmp-play-350", Server::Limit, 4000, 10.0));
        data.add(one("rtmp-play-0", Server::NginxRtmp, 2000, 88.0));
        let goals = goals(&data);
        assert_eq!(
            goals[0].what,
            "RTMP play merged for 350 ms: players per core, nginx-rtmp's being 1, 2,000 clients"
        );
        assert_eq!(goals[0].reached, Some(("11.00".to_owned(), true)));
        assert_eq!(goals[1].reached, Some(("1.40".to_owned(), false)));
    }

    #[test]
    fn a_publisher_may_keep_its_group_of_pictures() {
        let mut data = Data::default();
        let gop_kib = Stream::new(Rate::default()).gop_bytes() as f64 / 1024.0;
        let publish = one("rtmp-publish", Server::Ours, 600, 30.0);
        data.add(Measurement { rss_kib: gop_kib + 70.0, ..publish });
        let memory = reached(&data, "Memory of a publisher");
        assert_eq!(memory, Some(("70.00 KiB".to_owned(), false)));
    }

    #[test]
    fn ten_thousand_get_all_or_it_is_told_why_not() {
        let mut data = Data::default();
        let mut run = one("rtmp-play-350", Server::Ours, 10_000, 50.0);
        run.load_cpu = 25.0;
        data.add(run.clone());
        let all = reached(&data, "10,000 RTMP players on one core");
        assert_eq!(all, Some(("yes, with 50 % of the core".to_owned(), true)));
        let load = reached(&data, "10,000 RTMP players: CPU of the load");
        assert_eq!(load, Some(("0.50".to_owned(), true)));
        run.faults.push("3 gaps".to_owned());
        data.add(run);
        let all = reached(&data, "10,000 RTMP players on one core");
        assert_eq!(all, Some(("no: 3 gaps".to_owned(), false)));
    }

    #[test]
    fn delay_rises_and_does_not_leap_back() {
        let rising = |delays: &[(u32, f64)]| {
            let mut data = Data::default();
            for &(clients, p99) in delays {
                let latency = Percentiles { count: 1, p50: p99, p99, max: p99 };
                let mut one = one("rtmp-play-auto", Server::Ours, clients, 1.0);
                one.latency_ms = Some(latency);
                data.add(one);
            }
            reached(&data, "Windows by themselves: p99").map(|(_, is_met)| is_met)
        };
        assert_eq!(rising(&[(100, 1.0), (1000, 5.0), (2000, 4.9)]), Some(true));
        assert_eq!(rising(&[(100, 1.0), (1000, 50.0), (2000, 5.0)]), Some(false));
        assert_eq!(rising(&[(100, 1.0), (1000, 500.0)]), Some(false));
    }

    #[test]
    fn the_busiest_thread_and_the_price_of_the_second_core_are_told() {
        let mut data = Data::default();
        let two = one("two-cores", Server::Ours, 4000, 20.0);
        data.add(Measurement { threads: vec![("a".into(), 12.0), ("b".into(), 8.0)], ..two });
        data.add(one("rtmp-play-350", Server::Ours, 4000, 19.0));
        let busiest = reached(&data, "Two cores, one stream: share");
        assert_eq!(busiest, Some(("60.00 %".to_owned(), false)));
        let price = reached(&data, "Two cores, one stream: CPU per player");
        assert_eq!(price, Some(("1.05".to_owned(), true)));
    }
}
