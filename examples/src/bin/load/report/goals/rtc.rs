//! What is to be reached with WebRTC.

use super::{Goal, Tables, apart, at};
use crate::report::{
    case::ROUNDS,
    page::thousands,
    server::Server,
    table::{Figure, Row},
};

pub(super) fn goals(table: &Tables<'_>) -> Vec<Goal> {
    let mut goals = vec![
        price(table, 500),
        price(table, 1000),
        players(table),
        table.against_limit("rtc-play", "WebRTC play", 1.3),
        publishers(table),
    ];
    goals.extend(memory(table));
    goals.extend(delays(table));
    goals.extend(joins(table));
    let calls = table.ours("rtc-play", 500).and_then(|row| row.figure(|one| one.calls));
    goals.push(Goal::at_most(
        "WebRTC play: system calls for each RTP packet, 500 clients",
        0.1,
        "",
        calls.map(|calls| calls.median),
    ));
    goals.extend(two_cores(table));
    goals
}

fn price(table: &Tables<'_>, clients: u32) -> Goal {
    let cpu = table.ours("rtc-play", clients).and_then(|row| row.cpu_ms());
    let what = format!("WebRTC play: CPU per second and player{}", at(clients));
    Goal::at_most(what, 0.4, " ms", cpu.map(|cpu| cpu.median))
}

/// Each with the most players it was measured with.
fn players(table: &Tables<'_>) -> Goal {
    let most = |server| {
        let row = table.rows("rtc-play", server).pop()?;
        Some((row.clients, row.cpu_ms()?.median))
    };
    let both = most(Server::Ours).zip(most(Server::Janus));
    let clients = both.map(|((ours, _), (theirs, _))| {
        format!(", {} and {} clients", thousands(ours.into()), thousands(theirs.into()))
    });
    let what = "WebRTC play: players per core, Janus's being 1";
    let ratio = both.filter(|((_, ours), _)| *ours > 0.0);
    Goal::at_least(
        format!("{what}{}", clients.unwrap_or_default()),
        7.5,
        "",
        ratio.map(|((_, ours), (_, theirs))| theirs / ours),
    )
}

fn publishers(table: &Tables<'_>) -> Goal {
    let (clients, ratio) = apart(table.ratio("rtc-publish", Server::Janus));
    let what = format!("WebRTC publish: publishers per core, Janus's being 1{clients}");
    Goal::at_least(what, 5.0, "", ratio.map(|ratio| 1.0 / ratio))
}

fn memory(table: &Tables<'_>) -> [Goal; 3] {
    let rss = |row: &Row<'_>| row.rss().map(|rss| rss.median);
    let player = table.ours("rtc-play", 1000);
    let publisher = table.rows("rtc-publish", Server::Ours).pop();
    let (clients, publisher) = apart(publisher.and_then(|row| Some((row.clients, rss(&row)?))));
    let rounds = table.rows("rtc-rounds", Server::Ours).pop();
    let grown = rounds.and_then(|row| {
        let grown = row.figure(|one| {
            let (second, last) = (*one.rounds_kib.get(1)?, *one.rounds_kib.get(ROUNDS - 1)?);
            (second > 0).then(|| (last as f64 / second as f64 - 1.0) * 100.0)
        })?;
        Some((row.clients, grown.max))
    });
    let (all, grown) = apart(grown);
    [
        Goal::at_most(
            "Memory of a WebRTC player, 1,000 clients",
            40.0,
            " KiB",
            player.as_ref().and_then(rss),
        ),
        Goal::at_most(format!("Memory of a WebRTC publisher{clients}"), 120.0, " KiB", publisher),
        Goal::at_most(
            format!("Memory after ten rounds of coming and going, more than after two{all}"),
            5.0,
            " %",
            grown,
        ),
    ]
}

fn delays(table: &Tables<'_>) -> [Goal; 3] {
    let p99 = |row: &Row<'_>| {
        let p99 = row.figure(|one| one.latency_ms.map(|latency| latency.p99));
        p99.map(|p99| p99.median)
    };
    let busy = |name: &str, what: &str, most: f64| {
        let row = table.rows(name, Server::Ours).pop();
        let cpu = row.as_ref().and_then(Row::cpu).map(|cpu| cpu.median);
        let clients = row.as_ref().map(|row| at(row.clients)).unwrap_or_default();
        let cpu = cpu.map(|cpu| format!(" and {cpu:.0} % of a core")).unwrap_or_default();
        Goal::at_most(
            format!("WebRTC play of {what}: p99 of the delay{clients}{cpu}"),
            most,
            " ms",
            row.as_ref().and_then(p99),
        )
    };
    // A keyframe takes longer than that to be sent to all, whoever sends it.
    let of = |server| {
        let rows = table.rows("rtc-play", server);
        rows.iter().find(|row| row.clients == 100).and_then(p99)
    };
    let added = of(Server::Ours).zip(of(Server::Limit)).map(|(ours, limit)| ours - limit);
    [
        Goal::at_most(
            "WebRTC play: p99 of the delay, longer than the limit's, 100 clients",
            1.0,
            " ms",
            added,
        ),
        busy("rtc-busy", "one stream", 40.0),
        busy("rtc-busy-20", "20 streams", 10.0),
    ]
}

/// Those who join, and that those who were there lose nothing: else the run has a fault.
fn joins(table: &Tables<'_>) -> [Goal; 2] {
    let row = table.rows("rtc-join", Server::Ours).pop();
    let of = |value: Option<Figure>| value.map(|value| value.median);
    let rate = row.as_ref().and_then(|row| of(row.figure(|one| Some(one.joins))));
    let p99 = row.as_ref().and_then(|row| of(row.figure(|one| one.join_ms.map(|join| join.p99))));
    let others = row.map(|row| row.clients).map(|clients| format!(", {clients} others playing"));
    let others = others.unwrap_or_default();
    [
        Goal::at_least(
            format!("WebRTC: set-ups per second on one core, nothing lost{others}"),
            300.0,
            "",
            rate,
        ),
        Goal::at_most(
            format!("WebRTC: from the request to the keys at that rate, p99{others}"),
            500.0,
            " ms",
            p99,
        ),
    ]
}

fn two_cores(table: &Tables<'_>) -> [Goal; 2] {
    let two = table.rows("rtc-two-cores", Server::Ours).pop();
    let clients = two.as_ref().map(|row| at(row.clients)).unwrap_or_default();
    let (busiest, ratio) = table.second_core(two.as_ref(), "rtc-play");
    [
        Goal::at_most(
            format!("Two cores, one WebRTC stream: share of the busiest thread{clients}"),
            55.0,
            " %",
            busiest,
        ),
        Goal::at_most(
            format!("Two cores, one WebRTC stream: CPU per player, on one core being 1{clients}"),
            1.1,
            "",
            ratio,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{
        histogram::Percentiles,
        report::{
            data::{Data, Measurement},
            goals::goals,
            server::Server,
        },
    };

    fn one(group: &str, server: Server, clients: u32, cpu: f64) -> Measurement {
        let (group, server) = (group.to_owned(), server.name().to_owned());
        Measurement { group, server, clients, cpu, ..Measurement::default() }
    }

    fn reached(measurements: &[Measurement], start: &str) -> (String, Option<(String, bool)>) {
        let mut data = Data::default();
        measurements.iter().for_each(|one| data.add(one.clone()));
        let goal = goals(&data).into_iter().find(|goal| goal.what.starts_with(start));
        let goal = goal.unwrap_or_else(|| panic!("no goal begins with {start}"));
        (goal.what, goal.reached)
    }

    #[test]
    fn janus_is_compared_with_as_many_as_it_carries() {
        let (what, ratio) = reached(
            &[
                one("rtc-play", Server::Ours, 200, 10.0),
                one("rtc-play", Server::Ours, 1000, 40.0),
                one("rtc-play", Server::Janus, 200, 62.0),
            ],
            "WebRTC play: players per core",
        );
        assert!(what.ends_with(", 1,000 and 200 clients"), "{what}");
        assert_eq!(ratio, Some(("7.75".to_owned(), true)));
    }

    #[test]
    fn memory_may_grow_by_a_twentieth() {
        for (last, grown) in [(104_000, ("4.00 %", true)), (106_000, ("6.00 %", false))] {
            let mut run = one("rtc-rounds", Server::Ours, 500, 10.0);
            run.rounds_kib = [vec![80_000, 100_000], vec![101_000; 7], vec![last]].concat();
            let (_, reached) = reached(&[run], "Memory after ten rounds");
            assert_eq!(reached, Some((grown.0.to_owned(), grown.1)));
        }
    }

    #[test]
    fn a_busy_core_is_told_how_busy_it_is() {
        let mut run = one("rtc-busy-20", Server::Ours, 2000, 81.2);
        run.latency_ms = Some(Percentiles { count: 9, p50: 2.0, p99: 12.0, max: 20.0 });
        let (what, reached) = reached(&[run], "WebRTC play of 20 streams");
        assert!(what.ends_with("2,000 clients and 81 % of a core"), "{what}");
        assert_eq!(reached, Some(("12.00 ms".to_owned(), false)));
    }

    #[test]
    fn who_joins_counts_where_nobody_lost_anything() {
        let mut run = one("rtc-join", Server::Ours, 100, 30.0);
        run.joins = 300.0;
        run.join_ms = Some(Percentiles { count: 9, p50: 20.0, p99: 90.0, max: 99.0 });
        let rate = "WebRTC: set-ups per second";
        assert_eq!(reached(&[run.clone()], rate).1, Some(("300.00".to_owned(), true)));
        run.faults.push("1 gaps".to_owned());
        assert_eq!(reached(&[run], rate).1, None);
    }
}
