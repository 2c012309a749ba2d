//! Measurements of the same, joined: median and spread.

use super::{
    case::{GROUPS, Group},
    data::{Data, Measurement},
    server::SERVERS,
};

/// One server under one load.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) clients: u32,
    pub(super) server: &'static str,
    /// The measurements that count.
    good: Vec<&'a Measurement>,
    /// How many don't, and why the first of them doesn't.
    pub(super) failed: usize,
    pub(super) fault: Option<&'a str>,
}

/// A number that was measured several times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) count: usize,
}

impl Figure {
    /// `None` where nothing was measured.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max, count) = (*values.first()?, *values.last()?, values.len());
        let median = f64::midpoint(values[(count - 1) / 2], values[count / 2]);
        Some(Self { median, min, max, count })
    }

    /// How far the values are from the middle, percent of the median; `None` for one alone.
    pub(super) fn spread(&self) -> Option<f64> {
        let half = (self.max - self.min) / 2.0;
        (self.count > 1 && self.median > 0.0).then(|| half / self.median * 100.0)
    }
}

impl<'a> Row<'a> {
    pub(super) fn figure(&self, of: impl Fn(&Measurement) -> Option<f64>) -> Option<Figure> {
        Figure::of(self.good.iter().filter_map(|measurement| of(measurement)))
    }

    pub(super) fn cpu(&self) -> Option<Figure> {
        self.figure(|measurement| Some(measurement.cpu))
    }

    /// Milliseconds of CPU per second, for each client.
    pub(super) fn cpu_ms(&self) -> Option<Figure> {
        self.figure(|measurement| Some(measurement.cpu * 10.0 / f64::from(measurement.clients)))
    }

    /// How many clients a core would carry at this price.
    pub(super) fn per_core(&self) -> Option<f64> {
        let cpu_ms = self.cpu_ms()?.median;
        (cpu_ms > 0.0).then(|| 1000.0 / cpu_ms)
    }

    /// Kilobytes of resident memory for each client.
    pub(super) fn rss(&self) -> Option<Figure> {
        self.figure(|measurement| Some(measurement.rss_kib))
    }

    /// How often the server wrote to each client, and whether that is certain: where the system
    /// doesn't count its kind of writes, it is how often a client found something to read.
    pub(super) fn writes(&self) -> Option<(f64, bool)> {
        let writes = self.figure(|measurement| Some(measurement.writes))?.median;
        let reads = self.figure(|measurement| Some(measurement.reads))?.median;
        // What a server writes by other calls than to players is far less than that.
        let is_counted = writes * 2.0 > reads;
        Some((if is_counted { writes } else { reads }, is_counted))
    }

    /// One of the measurements that count.
    pub(super) fn example(&self) -> Option<&'a Measurement> {
        self.good.first().copied()
    }
}

/// The rows of a group, by clients and then by server.
pub(super) fn rows<'a>(data: &'a Data, group: &Group) -> Vec<Row<'a>> {
    let of = |name: &'static str| data.measurements.iter().filter(move |one| one.group == name);
    let mut numbers: Vec<_> = of(group.name).map(|one| one.clients).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut rows = Vec::new();
    for clients in numbers {
        for server in SERVERS {
            let others = server.stands_in(group.kind).iter().copied();
            let ours = std::iter::once(group.name).chain(others).find_map(|name| {
                let is_it =
                    |one: &&Measurement| one.clients == clients && one.server == server.name();
                let found: Vec<_> = of(name).filter(is_it).collect();
                (!found.is_empty()).then_some(found)
            });
            let Some(ours) = ours else { continue };
            let (good, bad): (Vec<_>, Vec<_>) =
                ours.into_iter().partition(|one| one.faults.is_empty());
            let fault = bad.first().and_then(|one| one.faults.first()).map(String::as_str);
            rows.push(Row { clients, server: server.name(), good, failed: bad.len(), fault });
        }
    }
    rows
}

/// The groups of which something was measured.
pub(super) fn groups(data: &Data) -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().filter(|group| data.measurements.iter().any(|one| one.group == group.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_median_and_spread() {
        assert_eq!(Figure::of([]), None);
        let one = Figure::of([4.0]).unwrap();
        assert_eq!((one.median, one.spread()), (4.0, None));
        let three = Figure::of([12.0, 8.0, 10.0]).unwrap();
        assert_eq!((three.median, three.spread()), (10.0, Some(20.0)));
        assert_eq!(Figure::of([1.0, 3.0]).unwrap().median, 2.0);
    }

    #[test]
    fn rows_leave_out_what_failed() {
        let one = Measurement {
            group: "rtmp-play-0".into(),
            server: "limit".into(),
            clients: 100,
            cpu: 10.0,
            ..Measurement::default()
        };
        let mut data = Data::default();
        let failed =
            Measurement { repeat: 1, cpu: 99.0, faults: vec!["3 gaps".into()], ..one.clone() };
        data.add(failed);
        data.add(Measurement { server: "srs-server".into(), ..one.clone() });
        data.add(Measurement { clients: 50, ..one.clone() });
        data.add(one);
        let group = groups(&data).next().unwrap();
        let rows = rows(&data, group);
        let order: Vec<_> = rows.iter().map(|row| (row.clients, row.server)).collect();
        assert_eq!(order, [(50, "limit"), (100, "srs-server"), (100, "limit")]);
        assert_eq!(rows[2].cpu_ms().unwrap().median, 1.0);
        assert_eq!(rows[2].per_core(), Some(1000.0));
        assert_eq!((rows[2].failed, rows[2].fault), (1, Some("3 gaps")));
    }

    #[test]
    fn who_writes_in_one_way_only_stands_in_every_table_of_rtmp() {
        let mut data = Data::default();
        for (group, server, clients) in [
            ("rtmp-play-350", "srs-server", 100),
            ("rtmp-play-350", "srs-server", 200),
            ("flv-play-350", "srs-server", 100),
            ("rtmp-play-0", "nginx-rtmp", 100),
            ("rtmp-play-0", "limit", 100),
        ] {
            let (group, server) = (group.to_owned(), server.to_owned());
            data.add(Measurement { group, server, clients, ..Measurement::default() });
        }
        let servers = |name: &str| -> Vec<_> {
            let group = GROUPS.iter().find(|group| group.name == name).unwrap();
            rows(&data, group).iter().map(|row| (row.clients, row.server)).collect()
        };
        assert_eq!(
            servers("rtmp-play-350"),
            [(100, "srs-server"), (100, "nginx-rtmp"), (200, "srs-server")]
        );
        assert_eq!(servers("flv-play-350"), [(100, "srs-server")]);
    }
}
